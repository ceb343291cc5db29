"""Pre-train a BERT, a RoBERTa or a GPT on text.

Without options: bert-tiny on the documentation of Python, which comes with Python itself. The run
folder then holds a checkpoint that Hugging Face opens too, the log and a picture of the loss.
"""

import shlex
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser

from minibert import dispatch
from minibert.allocator import keep_freed_memory
from minibert.cli import report
from minibert.cli.backend import blas_limits, compile_ahead, limit_kernels
from minibert.cli.options import add_fields
from minibert.cli.recipes import Batches, make_batches, make_model, make_tokenizer, resolve_arguments
from minibert.cli.resume import find_checkpoint, say, with_options_of
from minibert.data.corpora import resolve
from minibert.data.token_corpus import TokenCorpus
from minibert.data.tokenizer import save_tokenizer
from minibert.data.tokens import build_tokens
from minibert.distributed import ALONE, World, world
from minibert.errors import ConfigError, TrainingError
from minibert.evaluation.pretraining import evaluate
from minibert.files import read_object, write_json
from minibert.models.base import Model
from minibert.tokenizers import AutoTokenizer
from minibert.tokenizers.base import PretrainedTokenizer
from minibert.training.arguments import GROUPS, HARMLESS, PretrainArguments
from minibert.training.callbacks import CallbackHandler, TrainerCallback
from minibert.training.changes import check_changes
from minibert.training.checkpoints import Checkpoints
from minibert.training.feed import Feed
from minibert.training.log import RunLog
from minibert.training.loop import LoopSettings, in_steps, train
from minibert.training.optimizer import AdamW
from minibert.training.progress import Progress
from minibert.training.run_folder import ARGUMENTS, choose_folder, new_run
from minibert.training.run_lock import alone_in
from minibert.training.run_state import Run
from minibert.training.schedule import linear_warmup_decay
from minibert.training.spikes import GradientNorms
from minibert.training.stop_signals import StopOnSignal
from minibert.user_cache import cache_folder


def add_arguments(parser: ArgumentParser) -> None:
    """Add every option of `PretrainArguments`."""
    parser.add_argument("--config", action="config", help="read options from a YAML file; --print_config writes one")
    add_fields(parser, PretrainArguments.options(), GROUPS)


def run(arguments: dict[str, Any]) -> None:
    """Prepare the data, train, and show what was learned."""
    arguments.pop("config", None)
    ranks = world()
    if ranks.size > 1 and "-" in arguments["corpus"]:
        raise ConfigError("standard input has one reader: write the corpus into a file that every rank can read")
    if ranks.tell(repr(arguments)) != repr(arguments):
        raise ConfigError("it was started with other options than rank 0")
    checkpoint = None
    if arguments["resume_from_checkpoint"]:
        found = "" if ranks.rank else str(find_checkpoint(arguments, run_name(arguments)))
        checkpoint = Path(ranks.tell(found))
        arguments = with_options_of(checkpoint, arguments, PretrainArguments.options())
    args = resolve_arguments(PretrainArguments(**arguments))
    if checkpoint:
        check_changes(read_object(checkpoint / ARGUMENTS), args.to_dict(), HARMLESS, args.allow_change, say)
    with dispatch.backend(args.backend):
        pretrain(args, checkpoint, ranks)


def pretrain(args: PretrainArguments, checkpoint: Path | None = None, ranks: World = ALONE) -> None:
    """Do the same on the active backend."""
    folder = Path(ranks.tell("" if ranks.rank else str(run_folder(args, checkpoint))))
    keep_freed_memory()
    with ranks.rank_0_first():
        tokenizer, corpus = read_corpus(args, checkpoint)
    model = make_model(args, tokenizer)
    training, heldout = corpus.split(args.heldout, args.seed)
    batches = make_batches(args, tokenizer, training, "training")
    examples = make_batches(args, tokenizer, heldout, "held-out")
    report.start(args, model, training, heldout, folder)
    with ranks.rank_0_first():
        compile_ahead(args.backend, args.dtype)
    cores = ranks.cores()
    limit_kernels(args.backend, cores)
    with nullcontext() if ranks.rank else alone_in(folder) if checkpoint else new_run(folder):
        ranks.once(write_json, folder / ARGUMENTS, args.to_dict())
        ranks.once(save_tokenizer, tokenizer, folder, model_max_length=args.seq_len)
        with blas_limits(model, args.blas_threads, cores):
            fit(args, model, tokenizer, batches, examples, folder, checkpoint, ranks)
    ranks.once(report.finish, args, folder, model, tokenizer, heldout)


def run_folder(args: PretrainArguments, checkpoint: Path | None) -> Path:
    """Return where the run is, or will be."""
    return checkpoint.parent if checkpoint else choose_folder(args.output_dir, args.overwrite, run_name(vars(args)))


def read_corpus(args: PretrainArguments, checkpoint: Path | None) -> tuple[PretrainedTokenizer, TokenCorpus]:
    """Return the tokenizer, trained unless one was given or saved, and the corpus as token ids."""
    documents = resolve(args.corpus)
    tokenizer = AutoTokenizer.from_pretrained(checkpoint) if checkpoint else make_tokenizer(args, documents)
    return tokenizer, build_tokens(documents, tokenizer, cache_folder() / "tokens")


class KeepWeights(TrainerCallback):
    """Writes the weights into the run folder at each evaluation, so that they can be tried while it trains."""

    def __init__(self, folder: Path, ranks: World) -> None:
        self.folder, self.ranks = folder, ranks

    def on_evaluate(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Write them."""
        self.ranks.once(kwargs["model"].save_pretrained, self.folder)


def fit(
    args: PretrainArguments,
    model: Model,
    tokenizer: PretrainedTokenizer,
    batches: Batches,
    examples: Batches,
    folder: Path,
    checkpoint: Path | None = None,
    ranks: World = ALONE,
) -> None:
    """Train, from the beginning or from where a checkpoint was."""
    heldout = [batch for _, batch in islice(examples.forever(), args.eval_batches)]  # the same batches every time
    baselines = {f"eval_{name}": value for name, value in examples.baselines(batches).items()}
    stop = StopOnSignal(ranks)
    handler = CallbackHandler([KeepWeights(folder, ranks), stop], args, model=model)
    optimizer = AdamW(model.params, args.learning_rate, args.weight_decay, betas=(0.9, args.adam_beta2), l1=args.l1)
    feed = Feed(batches.epoch)
    whole = Run(model, optimizer, feed, handler.state, args.to_dict(), tokenizer)
    progress = Progress(norms=GradientNorms(args.skip_outliers))
    if checkpoint:
        progress = whole.read(checkpoint, not args.allow_change, args.skip_outliers)
    ranks.share(model.params)
    checkpoints = Checkpoints(folder, args.save_total_limit, checkpoint, say)

    def learning_rate(step: int) -> float:
        return linear_warmup_decay(step, args.learning_rate, args.warmup_steps, args.max_steps)

    written = None if ranks.rank else folder
    with RunLog(written, args.max_steps, history=handler.state.log_history, step=progress.step) as log, stop:

        def evaluation(step: int) -> dict[str, float]:
            record = evaluate(model, heldout, ranks) | baselines
            log.say(report.evaluation(step, record))
            return record

        def save(progress: Progress) -> None:
            ranks.check_same(model.params)
            ranks.once(checkpoints.save, progress.step, lambda folder: whole.write(folder, progress))

        steps = in_steps(feed, args.gradient_accumulation_steps)
        parts = (model, optimizer, steps, learning_rate, loop_settings(args), log, evaluation)
        try:
            train(*parts, save, handler, progress, ranks)
        except TrainingError as error:
            ranks.once(model.save_pretrained, folder)
            raise TrainingError(f"{error}. The weights before it are in {folder}; {checkpoints.newest}") from error
    if stop.received:
        ranks.once(model.save_pretrained, folder)  # to be tried
    stop.check(handler.state, f"go on with: minibert pretrain --resume_from_checkpoint {shlex.quote(str(folder))}")


def loop_settings(args: PretrainArguments) -> LoopSettings:
    """Return how long to train, and what happens when."""
    return LoopSettings(
        args.max_steps,
        args.log_every,
        args.eval_every,
        args.save_every,
        gradient_accumulation_steps=args.gradient_accumulation_steps,
        max_grad_norm=args.max_grad_norm,
        max_skipped_steps=args.max_skipped_steps,
        seed=args.seed,
        log_grad_norms=True,
    )


def run_name(options: dict[str, Any]) -> str:
    """Return the name of the default run folder, for example bert-tiny-python-docs."""
    first = options["corpus"][0]
    return f"{options['model']}-{Path(first).name.split('.')[0] if first != '-' else 'stdin'}"
