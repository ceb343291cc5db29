"""Fine-tuning from a model's name and a table to a folder: what `minibert finetune` does."""

from __future__ import annotations

import json
import shlex
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from minibert.datasets.dataset import Dataset
from minibert.datasets.splitting import content_key
from minibert.errors import ConfigError
from minibert.evaluation.bootstrap import Interval
from minibert.evaluation.task_metrics import intervals
from minibert.files import finite, write_json
from minibert.finetuning.adapting import adapted
from minibert.finetuning.arguments import FEATURES, FinetuneArguments
from minibert.finetuning.features import forget_features
from minibert.finetuning.opening import Start, lasting_name, open_to_train
from minibert.finetuning.predictor import Predictor
from minibert.finetuning.task_data import Source, check_enough, load_splits, parts_of, rows_to_measure, without_empty
from minibert.finetuning.task_settings import TaskSettings
from minibert.finetuning.tasks import Encoded, Task, make_task
from minibert.finetuning.unfinished import CHECKPOINTS, SaveEvery
from minibert.finetuning.whole_folder import RESULTS
from minibert.models.base import Model
from minibert.training.best_model import EarlyStoppingCallback
from minibert.training.log import LOG
from minibert.training.run_folder import ARGUMENTS
from minibert.training.trainer import Trainer
from minibert.training.training_arguments import TrainingArguments

VALIDATION = 0.1  # of the training rows, where early stopping needs some and the data has none


class Labelled(NamedTuple):
    """Rows as a model takes them, with their truth."""

    inputs: list
    truth: Any
    encoded: Encoded

    def columns(self, task: Task, names: list[str]) -> dict[str, list]:
        """Return the columns to train on."""
        return {**self.encoded.columns, **task.targets(self.encoded, self.truth, names)}


class Prepared(NamedTuple):
    """All that is known before the first step. Mistakes in model, data and options have been found."""

    source: str
    task: Task
    start: Start
    model: Model  # with what the method trains
    max_length: int
    train: Labelled
    heldout: Labelled
    validation: Labelled | None
    about: str  # which rows are held out
    skipped: int  # empty rows that were left out
    common: int  # held-out examples that are learned from, too
    rows: Source

    @property
    def predictor(self) -> Predictor:
        """The model as a function of inputs."""
        return Predictor(self.model, self.start.tokenizer, self.task, self.start.names, self.max_length)


class Result(NamedTuple):
    """What came out."""

    metrics: dict[str, Interval]
    steps: int
    seconds: float


def prepare(source: str, args: FinetuneArguments) -> Prepared:
    """Read the data, open the model, and make the two fit.

    Raises
    ------
    DataError, CheckpointError, ConfigError
        The data, the model or an option cannot be used; nothing has been written.
    """
    task = make_task(args.task, args.text_column, args.text_pair_column, args.label_column)
    rows = Source.of(args.data, args.data_part, args.heldout, args.seed)
    train, heldout, about = _rows(rows, task, args)
    validation = None
    if args.patience:
        train, validation = _validation(rows, train, task)
    parts, skipped = [part for part in (train, heldout, validation) if part is not None], 0
    if args.skip_empty:
        kept = [without_empty(part, task) for part in parts]
        parts, skipped = [part for part, _ in kept], sum(number for _, number in kept)
    check_enough(parts[1], about)
    inputs = [task.inputs(part) for part in parts]
    names = task.label_names(parts[0])
    task.check_batch(args.batch_size, names)
    task.truth(parts[1], names)  # before the model is opened: known to be sound
    start = open_to_train(source, task, names, args.new_head, args.seed)
    model = adapted(start, task, source, args)
    max_length = row_length(start, model, task, args.max_length)
    task.cut_at(start.model, max_length)
    labelled = []
    for part, texts in zip(parts, inputs, strict=True):
        truth = task.truth(part, start.names)
        labelled.append(Labelled(texts, truth, task.encode(start.tokenizer, texts, max_length)))
    third = labelled[2] if len(labelled) > 2 else None
    common, two = in_common(inputs[0], inputs[1]), labelled[:2]
    return Prepared(source, task, start, model, max_length, *two, third, about, skipped, common, rows)


def run(
    prepared: Prepared,
    args: FinetuneArguments,
    folder: Path,
    say: Callable[[str], None] = print,
    checkpoints: Path | None = None,
    checkpoint: Path | None = None,
) -> Result:
    """Train, measure on the held-out rows, and write everything into `folder`, which exists.

    With `save_every` the run is saved in `checkpoints`; with a `checkpoint` of it, it goes on from there.
    """
    task, start, model = prepared.task, prepared.start, prepared.model
    callbacks = [EarlyStoppingCallback(args.patience)] if args.patience else []
    callbacks += [SaveEvery(args.save_every)] if args.save_every else []
    trainer = Trainer(
        model,
        training_arguments(prepared, args, checkpoints or folder / CHECKPOINTS),
        train_dataset=prepared.train.columns(task, start.names),
        eval_dataset=prepared.validation and prepared.validation.columns(task, start.names),
        processing_class=start.tokenizer,
        callbacks=callbacks,
    )
    if checkpoints:
        again = shlex.join([prepared.source, "--resume_from_checkpoint", str(checkpoints.parent)])
        trainer.how_to_go_on = f"go on with: minibert finetune {again}"
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "changed since the checkpoint")  # the command has said so
        outcome = trainer.train(checkpoint, args.allow_change)
    shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)
    steps = f"{outcome.global_step:,} step" + "s" * (outcome.global_step > 1)
    say(f"{steps} in {outcome.metrics['train_runtime']:.1f} s, loss {outcome.training_loss:.4f}")
    if args.method == FEATURES:
        forget_features(model)
    predicted = prepared.predictor(prepared.heldout.inputs, 2 * args.batch_size, progress=_terminal())
    metrics = intervals(task.metrics(start.names), prepared.heldout.truth, predicted.values)
    result = Result(metrics, outcome.global_step, outcome.metrics["train_runtime"])
    _write(prepared, args, folder, result, trainer.state.log_history)
    return result


def training_arguments(prepared: Prepared, args: FinetuneArguments, folder: Path) -> TrainingArguments:
    """Return the options of the trainer."""
    saved = {"save_strategy": "steps", "save_steps": args.save_every} if args.save_every else {"save_strategy": "no"}
    if args.patience:
        saved = {"eval_strategy": "epoch", "save_strategy": "best", "load_best_model_at_end": True}
    return TrainingArguments(
        str(folder),
        num_train_epochs=args.num_train_epochs,
        max_steps=args.max_steps,
        per_device_train_batch_size=args.batch_size,
        per_device_eval_batch_size=2 * args.batch_size,
        learning_rate=args.rate(prepared.start.model.config.hidden_size),
        warmup_steps=args.warmup_steps,
        weight_decay=args.weight_decay,
        l1=args.l1,
        label_smoothing_factor=args.label_smoothing,
        train_sampling_strategy="group_by_length",
        logging_steps=10,
        seed=args.seed,
        save_total_limit=(args.save_total_limit or None) if args.save_every else 1,
        **saved,
    )


def row_length(start: Start, model: Model, task: Task, asked: int) -> int:
    """Return the tokens of a row at most. Raises `ConfigError` if more are asked for than the model has room for."""
    positions = min(start.model.config.max_length, start.tokenizer.model_max_length)
    room = positions - len(model.params["embeddings"].get("prompt", ()))
    if asked > room:
        raise ConfigError(f"--max_length is {asked}, but the model has room for {room} tokens")
    return asked or min(task.longest, room)


def in_common(train: list, heldout: list) -> int:
    """Return how many held-out inputs are among the training inputs, but for case and white space."""
    known = {content_key(given) for given in train}
    return sum(content_key(given) in known for given in heldout)


def _rows(rows: Source, task: Task, args: FinetuneArguments) -> tuple[Dataset, Dataset, str]:
    if not args.eval_data:

        def check(table: Dataset) -> None:
            """Name a row that cannot be used by its number in the file."""
            if len(table) > 1 and not args.skip_empty:
                task.inputs(table)
                task.truth(table, task.label_names(table))

        return parts_of(rows, task, args.train_split, args.eval_split, check)
    from minibert.datasets.load import take

    train = take(load_splits(rows), args.train_split)
    heldout, about = rows_to_measure(Source.of(args.eval_data, "", args.heldout, args.seed), task, args.eval_split)
    return train, heldout, f"{about} of {args.eval_data}"


def _validation(rows: Source, train: Dataset, task: Task) -> tuple[Dataset, Dataset]:
    """Rows that early stopping looks at: never those that the result is measured on."""
    splits = load_splits(rows)
    if "validation" in splits and "test" in splits:
        return train, splits["validation"]
    contents = [column for column in task.columns[:2] if column]
    divided = train.train_test_split(VALIDATION, rows.seed + 1, by_content=contents)
    return divided["train"], divided["test"]


def _write(prepared: Prepared, args: FinetuneArguments, folder: Path, result: Result, history: list[dict]) -> None:
    prepared.model.save_pretrained(folder)
    prepared.start.tokenizer.save_pretrained(folder)
    TaskSettings(
        task=prepared.task.name,
        columns=prepared.task.columns._asdict(),
        labels=prepared.start.names,
        max_length=prepared.max_length,
        method=args.method,
        base_model=lasting_name(prepared.source),
        trainable_parameters=prepared.model.num_trainable_parameters(),
        trained_on=prepared.rows._asdict(),
    ).save(folder)
    write_json(folder / ARGUMENTS, args.to_dict())
    results = {name: interval._asdict() for name, interval in result.metrics.items()}
    record = {"held_out": prepared.about, "seconds": result.seconds, "metrics": results}
    write_json(folder / RESULTS, finite(record))
    lines = (json.dumps(record) + "\n" for record in history)
    (folder / LOG).write_text("".join(lines), encoding="utf-8")


def _terminal() -> bool:
    import sys

    return sys.stderr.isatty()
