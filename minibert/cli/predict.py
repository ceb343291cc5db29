"""Say what a fine-tuned model makes of new texts.

minibert predict reviews "I love this movie!" "What a waste of time."
minibert predict reviews --input lines.txt --json
minibert predict answers --question "Who wrote it?" --context "The letter was written by her brother."
"""

import json
import sys
from typing import Any

from jsonargparse import ArgumentParser

from minibert import dispatch
from minibert.cli.backend import add_backend
from minibert.cli.embed import lines_of_file
from minibert.cli.task_report import truncation
from minibert.errors import ConfigError, DataError

MORE = ("pair", "question", "context", "choices")  # options that some models take beside a text
TAKES = {"question-answering": ("question", "context"), "multiple-choice": ("choices",)}  # task -> which of them


def add_arguments(parser: ArgumentParser) -> None:
    """Add the model and the texts."""
    parser.add_argument("model", type=str, help="the folder of a fine-tuned model or adapter")
    parser.add_argument("texts", nargs="*", type=str, help="the texts; - reads standard input, a text a line")
    parser.add_argument("--input", type=str, default="", help="a text file with a text a line; - standard input")
    parser.add_argument("--pair", type=str, default="", help="the second text, for models of pairs")
    parser.add_argument("--question", type=str, default="", help="a question, for models that answer")
    parser.add_argument("--context", type=str, default="", help="the text that the answer is in")
    parser.add_argument("--choices", nargs="*", default=[], type=str, help="choices, for models that choose")
    parser.add_argument("--base", type=str, default="", help="the model of an adapter, if it was moved")
    parser.add_argument("--batch_size", type=int, default=32, help="texts at a time")
    parser.add_argument("--json", action="store_true", help="print a JSON object a line")
    add_backend(parser)


def run(args: dict[str, Any]) -> None:
    """Predict and print."""
    from minibert.finetuning.opening import open_trained

    if args["batch_size"] < 1:
        raise ConfigError(f"--batch_size must be at least 1, but is {args['batch_size']}")
    texts = texts_of(args)
    with dispatch.backend(args["backend"]):
        predictor, _ = open_trained(args["model"], args["base"])
        inputs = inputs_of(predictor.task.name, predictor.task.columns.pair, texts, args)
        predicted = predictor(inputs, args["batch_size"])
    for note in truncation(predicted.truncated, len(inputs), predictor.max_length):
        print(note, file=sys.stderr)
    for given, prediction in zip(inputs, predicted.values, strict=True):
        answer = predictor.task.answer(prediction, given, predictor.names)
        if args["json"]:
            print(json.dumps({"input": given, **answer}, ensure_ascii=False))
        else:
            print("\n".join(answer_lines(answer, given)))


def texts_of(args: dict[str, Any]) -> list[str]:
    """Return all texts that were given, none of them empty."""
    texts = []
    for text in args["texts"]:
        texts += lines_of_file("-") if text == "-" else [text]
    texts += lines_of_file(args["input"]) if args["input"] else []
    texts += [args["question"]] if args["question"] else []
    for i, text in enumerate(texts):
        if not text.strip():
            raise DataError(f"text {i} is empty: give at least a word")
    if not texts:
        raise DataError("there is no text: give some behind the model, or a file with --input")
    return texts


def inputs_of(task: str, pair: str, texts: list[str], args: dict[str, Any]) -> list:
    """Return the texts as inputs of the task."""
    takes = TAKES.get(task, ("pair",) if pair else ())
    if odd := [f"--{name}" for name in MORE if args[name] and name not in takes]:
        raise ConfigError(f"the model was made for {task}, which takes no {' and no '.join(odd)}: leave it out")
    if task == "question-answering":
        if not args["context"].strip():
            raise DataError("the model answers from a text: give it with --context")
        return [(text, args["context"]) for text in texts]
    if task == "multiple-choice":
        if len(args["choices"]) < 2:
            raise DataError("the model chooses between texts: give them with --choices A B ...")
        return [(text, list(args["choices"])) for text in texts]
    if task == "tokens":
        return [text.split() for text in texts]
    if pair and not args["pair"].strip():
        raise DataError("the model reads pairs of texts: give the second one with --pair")
    return [(text, args["pair"]) for text in texts] if pair else texts


def answer_lines(answer: dict[str, Any], given: Any) -> list[str]:
    """Return one answer as lines for people."""
    if "probabilities" in answer:
        shown = "  ".join(f"{name} {p:.1%}" for name, p in list(answer["probabilities"].items())[:10])
        labels = answer["label"] if "label" in answer else ", ".join(answer["labels"]) or "(none)"
        return [f"{labels:<12}  {shown}  |  {_short(given)}"]
    if "entities" in answer:
        return [f"{e['type']:<8}  {e['text']}" for e in answer["entities"]] or [f"(no entity)  |  {_short(given)}"]
    if "words" in answer:
        return [" ".join(f"{w}/{label}" for w, label in zip(answer["words"], answer["labels"], strict=True))]
    if "answer" in answer:
        return [answer["answer"] or "(no answer)"]
    return [f"{value:.4f}  |  {_short(given)}" for value in answer.values()]


def _short(given: Any) -> str:
    text = " ".join((given if isinstance(given, str) else str(given[0])).split())
    return text if len(text) <= 60 else f"{text[:57]}..."
