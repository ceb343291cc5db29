"""What `minibert pretrain` tells: before, during, and after."""

import os
import shlex
from pathlib import Path

import numpy as np

from minibert.data.token_corpus import TokenCorpus
from minibert.data.tokenizer import special_ids, word_starts
from minibert.models.base import Model
from minibert.ops.attention import softmax
from minibert.pipelines.fill_mask import FillMask
from minibert.pipelines.text_generation import TextGeneration
from minibert.tokenizers.base import PretrainedTokenizer
from minibert.training.arguments import PretrainArguments
from minibert.training.log import main_part, read_log
from minibert.view.curves import plot_runs


def start(args: PretrainArguments, model: Model, training: TokenCorpus, heldout: TokenCorpus, folder: Path) -> None:
    """Print what is going to be trained on what."""
    steps = f"{args.max_steps:,} step" + "s" * (args.max_steps > 1)
    print(
        f"{type(model).__name__} ({args.model}, {model.num_parameters():,} parameters, {args.backend}, {args.dtype}) "
        f"on {', '.join(args.corpus)}: {training.n_tokens:,} tokens in {len(training.documents):,} documents to train "
        f"on, {heldout.n_tokens:,} in {len(heldout.documents):,} held out\n"
        f"{steps} of {args.batch_size * args.gradient_accumulation_steps} sequences of up to "
        f"{args.seq_len} tokens; the run folder is {folder}",
        flush=True,
    )


def evaluation(step: int, record: dict[str, float]) -> str:
    """Return one line about an evaluation."""
    part = main_part(record, "eval_")
    title = part.upper()
    baselines = ", ".join(
        f"{name} {record[key]:.3f}" for name in ("unigram", "bigram") if (key := f"eval_{name}_loss") in record
    )
    line = (
        f"step {step:>6}  held out: {title} loss {record[f'eval_{part}_loss']:.3f} ({baselines})"
        f"  perplexity {record['eval_perplexity']:.1f}  {title} accuracy {record[f'eval_{part}_accuracy']:.1%}"
    )
    if "eval_nsp_accuracy" in record:
        line += f"  NSP accuracy {record['eval_nsp_accuracy']:.1%}"
    return line


def finish(
    args: PretrainArguments, folder: Path, model: Model, tokenizer: PretrainedTokenizer, heldout: TokenCorpus
) -> None:
    """Draw the curve, show what the model makes of held-out text, and say where everything is."""
    plot_runs([folder], folder / "loss.png")
    last = [record for record in read_log(folder) if main_part(record, "eval_")][-1]
    part = main_part(last, "eval_")
    rng = np.random.default_rng(args.seed)
    title, lines, advice = SAMPLES[part](model, tokenizer, heldout, rng)
    print(f"\n{title}")
    for line in lines:
        print(f"  - {line}")
    below = last["eval_unigram_loss"] - last[f"eval_{part}_loss"]
    print(
        f"\nHeld-out {part.upper()} loss {last[f'eval_{part}_loss']:.3f}: {abs(below):.2f} nats "
        f"{'below' if below >= 0 else 'above'} the best guess without context"
    )
    vocabulary = ", ".join(["tokenizer.json", *tokenizer.vocabulary_files()])
    print(f"{folder}{os.sep}")
    print("  config.json, model.safetensors         the model, in Hugging Face's format")
    print(f"  {vocabulary:<38} its tokenizer")
    print("  log.jsonl, loss.png                    how it went")
    print("  training_args.json                     the options")
    if args.save_every:
        print("  checkpoint-*                           to go on from, with --resume_from_checkpoint")
    print(f"\nTry: {advice.format(run=shlex.quote(str(folder)))}")


def filled(
    model: Model, tokenizer: PretrainedTokenizer, heldout: TokenCorpus, rng: np.random.Generator
) -> tuple[str, list[str], str]:
    """Held-out sentences with masks filled in."""
    title = "Held-out sentences, filled in: {right}, {guess, not truth}"
    advice = f'minibert fill-mask {{run}} "a text with a {tokenizer.mask_token} in it"'
    return title, filled_sentences(model, tokenizer, heldout, rng), advice


def continued(
    model: Model, tokenizer: PretrainedTokenizer, heldout: TokenCorpus, rng: np.random.Generator
) -> tuple[str, list[str], str]:
    """Beginnings of held-out documents and how the model would go on."""
    writer = TextGeneration(model, tokenizer)
    lines = [_continuation(writer, heldout, int(document)) for document in rng.permutation(heldout.documents)[:3]]
    return "Held-out beginnings | and how the model goes on", lines, 'minibert generate {run} --prompt "a beginning"'


def _continuation(writer: TextGeneration, corpus: TokenCorpus, document: int) -> str:
    """The first eighth of what the model can see, and as many tokens again as it has positions left, at most 60."""
    positions = writer.model.config.max_length
    start = int(corpus.sentence_starts[corpus.document_starts[document]])
    stop = int(corpus.sentence_starts[corpus.document_starts[document + 1]])
    beginning = corpus.tokens[start : min(stop, start + max(1, min(16, positions // 8)))].tolist()
    row = writer.model.generate([beginning], min(60, positions - len(beginning)), temperature=0.8, seed=document)[
        0
    ].tolist()
    before, after = (writer.tokenizer.decode(ids) for ids in (beginning, row[len(beginning) :]))
    return " ".join(before.split()) + " | " + " ".join(after.split())


SAMPLES = {"mlm": filled, "clm": continued}


def filled_sentences(
    model: Model, tokenizer: PretrainedTokenizer, corpus: TokenCorpus, rng: np.random.Generator, count: int = 5
) -> list[str]:
    """Return `count` sentences of the corpus in which one word in six was hidden and guessed again."""
    fill, starts = FillMask(model, tokenizer), word_starts(tokenizer)
    longest = model.config.max_length - 2
    numbers = [
        i
        for document in rng.permutation(corpus.documents)[:50]
        for i in corpus.sentences(document)
        if min(8, longest) <= len(corpus.sentence(i)) <= min(40, longest)
    ]
    chosen = rng.permutation(numbers)[:count] if numbers else []
    return [_filled(fill, corpus.sentence(int(i)).astype(np.int64), starts, rng) for i in chosen]


def _filled(fill: FillMask, truth: np.ndarray, starts: np.ndarray, rng: np.random.Generator) -> str:
    """Hide some pieces that are words of their own, guess them, and return the text with the guesses marked."""
    ids = special_ids(fill.tokenizer)
    whole = starts[truth] & np.append(starts[truth[1:]], True)  # (T,)
    whole &= np.array([any(c.isalpha() for c in fill.tokenizer.decode([int(i)])) for i in truth])
    places = np.sort(rng.permutation(np.flatnonzero(whole))[: max(1, len(truth) // 6)])
    hidden = truth.copy()
    hidden[places] = ids.mask
    row = np.concatenate([[ids.cls], hidden, [ids.sep]])
    guesses = softmax(fill.model(row[None]).logits[0, 1:-1]).argmax(-1)  # (T,)
    pieces, last = [], 0
    for place in places:
        pieces.append(fill.tokenizer.decode(truth[last:place].tolist()))
        right, guess = (fill.tokenizer.decode([int(i)]).strip() for i in (truth[place], guesses[place]))
        pieces.append(f"{{{right}}}" if guess == right else f"{{{guess}, not {right}}}")
        last = place + 1
    pieces.append(fill.tokenizer.decode(truth[last:].tolist()))
    return " ".join(" ".join(pieces).split())
