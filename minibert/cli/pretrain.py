"""Pre-train a BERT, a RoBERTa or a GPT on text.

Without options: bert-tiny on the documentation of Python, which comes with Python itself. The run
folder then holds a checkpoint that Hugging Face opens too, the log and a picture of the loss.
"""

from itertools import islice
from pathlib import Path
from typing import Any, Literal

from jsonargparse import ArgumentParser

from minibert import dispatch
from minibert.allocator import keep_freed_memory
from minibert.cli import report
from minibert.cli.backend import blas_limits, compile_ahead
from minibert.cli.recipes import Batches, make_batches, make_model, make_tokenizer, resolve_arguments
from minibert.data.corpora import resolve
from minibert.data.token_corpus import TokenCorpus
from minibert.data.tokenizer import save_tokenizer
from minibert.data.tokens import build_tokens
from minibert.errors import TrainingError
from minibert.evaluation.pretraining import evaluate
from minibert.files import write_json
from minibert.models.base import Model
from minibert.tokenizers.base import PretrainedTokenizer
from minibert.training.arguments import PretrainArguments
from minibert.training.log import RunLog
from minibert.training.loop import LoopSettings, in_steps, train
from minibert.training.optimizer import AdamW
from minibert.training.run_folder import ARGUMENTS, choose_folder, new_run
from minibert.training.schedule import linear_warmup_decay
from minibert.user_cache import cache_folder


def add_arguments(parser: ArgumentParser) -> None:
    """Add every option of `PretrainArguments`."""
    parser.add_argument("--config", action="config", help="read options from a YAML file; --print_config writes one")
    for field in PretrainArguments.options():
        if field.type is bool:
            about = {"action": "store_true"}
        elif field.type is list:
            about = {"nargs": "+", "default": field.default_factory()}
        else:
            choices = field.metadata.get("choices")
            about = {"type": Literal[choices] if choices else field.type, "default": field.default}
        parser.add_argument(f"--{field.name}", help=field.metadata["help"], **about)


def run(arguments: dict[str, Any]) -> None:
    """Prepare the data, train, and show what was learned."""
    arguments.pop("config", None)
    args = resolve_arguments(PretrainArguments(**arguments))
    with dispatch.backend(args.backend):
        pretrain(args)


def pretrain(args: PretrainArguments) -> None:
    """Do the same on the active backend."""
    folder = choose_folder(args.output_dir, args.overwrite, run_name(args))
    keep_freed_memory()
    tokenizer, corpus = read_corpus(args)
    model = make_model(args, tokenizer)
    training, heldout = corpus.split(args.heldout, args.seed)
    batches = make_batches(args, tokenizer, training, "training")
    examples = make_batches(args, tokenizer, heldout, "held-out")
    report.start(args, model, training, heldout, folder)
    compile_ahead(args.backend, args.dtype)
    with new_run(folder):
        write_json(folder / ARGUMENTS, args.to_dict())
        save_tokenizer(tokenizer, folder, model_max_length=args.seq_len)
        with blas_limits(model, args.blas_threads):
            fit(args, model, batches, examples, folder)
    report.finish(args, folder, model, tokenizer, heldout)


def read_corpus(args: PretrainArguments) -> tuple[PretrainedTokenizer, TokenCorpus]:
    """Return the tokenizer, trained unless one was given, and the corpus as token ids."""
    documents = resolve(args.corpus)
    tokenizer = make_tokenizer(args, documents)
    return tokenizer, build_tokens(documents, tokenizer, cache_folder() / "tokens")


def fit(args: PretrainArguments, model: Model, batches: Batches, examples: Batches, folder: Path) -> None:
    """Train, and save the weights at each evaluation."""
    heldout = [batch for _, batch in islice(examples.forever(), args.eval_batches)]  # the same batches every time
    baselines = {f"eval_{name}": value for name, value in examples.baselines(batches).items()}
    settings = LoopSettings(
        args.max_steps,
        args.log_every,
        args.eval_every,
        save_every=args.eval_every,
        gradient_accumulation_steps=args.gradient_accumulation_steps,
        max_grad_norm=args.max_grad_norm,
        seed=args.seed,
    )
    steps = in_steps((batch for _, batch in batches.forever()), args.gradient_accumulation_steps)
    optimizer = AdamW(model.params, args.learning_rate, args.weight_decay, betas=(0.9, args.adam_beta2), l1=args.l1)

    def learning_rate(step: int) -> float:
        return linear_warmup_decay(step, args.learning_rate, args.warmup_steps, args.max_steps)

    with RunLog(folder, args.max_steps) as log:

        def evaluation(step: int) -> dict[str, float]:
            record = evaluate(model, heldout) | baselines
            log.say(report.evaluation(step, record))
            return record

        def save(step: int) -> None:
            model.save_pretrained(folder)

        try:
            train(model, optimizer, steps, learning_rate, settings, log, evaluation, save)
        except KeyboardInterrupt:
            model.save_pretrained(folder)
            log.say(f"the weights so far are in {folder}")
            raise
        except TrainingError as error:
            model.save_pretrained(folder)
            raise TrainingError(f"{error}. The weights before it are in {folder}") from error


def run_name(args: PretrainArguments) -> str:
    """Return the name of the default run folder, for example bert-tiny-python-docs."""
    return f"{args.model}-{Path(args.corpus[0]).name.split('.')[0] if args.corpus[0] != '-' else 'stdin'}"
