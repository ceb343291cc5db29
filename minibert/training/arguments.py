"""The options of `minibert pretrain`, each with its default and its help, in one place."""

from dataclasses import Field, asdict, dataclass, field, fields
from typing import Any

from minibert.errors import ConfigError

AUTO = "auto"  # what suits the model
LARGEST_VOCABULARY = 1_000_000  # the tokenizer's trainer reserves memory for all of it
AT_LEAST_ONE = (
    "max_steps", "batch_size", "gradient_accumulation_steps", "vocab_size", "eval_every", "eval_batches", "log_every",
    "max_skipped_steps",
)  # fmt: skip
NOT_NEGATIVE = ("weight_decay", "l1", "blas_threads", "seed", "save_every", "save_total_limit", "skip_outliers")
# Used again as a --config, the options of a run must neither overwrite it unasked nor go on with it.
OF_THIS_CALL = ("overwrite", "resume_from_checkpoint", "allow_change")
# What changes no weights, if it changes when a run goes on.
HARMLESS = ("log_every", "eval_every", "eval_batches", "save_every", "save_total_limit")

GROUPS = {  # headings of the help
    "what learns what": "model corpus objective mask_rate whole_words heldout seq_len",
    "tokenizer": "tokenizer vocab_size cased",
    "steps": "max_steps batch_size gradient_accumulation_steps learning_rate warmup_steps max_grad_norm "
    "max_skipped_steps skip_outliers",
    "optimizer and regularisation": "adam_beta2 weight_decay l1 dropout initializer_range",
    "output, evaluation and the log": "output_dir overwrite eval_every eval_batches log_every",
    "stopping and going on": "save_every save_total_limit resume_from_checkpoint allow_change",
    "computation": "seed backend blas_threads dtype",
}


def option(default: Any, help: str, **more: Any) -> Any:
    """Declare an option: a dataclass field that carries its help (and choices) to the command line."""
    if isinstance(default, list):
        return field(default_factory=default.copy, metadata={"help": help, **more})
    return field(default=default, metadata={"help": help, **more})


@dataclass
class PretrainArguments:
    """Options of `minibert pretrain`. The defaults are the run that README describes."""

    model: str = option(
        "bert-tiny",
        "size of the model: bert-tiny, -mini, -small, -medium or -base; roberta-tiny, -mini, -base or -large; "
        "gpt2-nano, gpt2-micro, gpt2, gpt2-medium, -large or -xl; openai-gpt",
    )
    corpus: list = option(
        ["python-docs"],
        "name of a corpus (see `minibert corpora`), or files and folders of .txt, .jsonl, .gz, or - for standard input",
    )
    objective: str = option(
        AUTO,
        "what to learn: masked tokens and next sentences as in BERT, masked tokens alone, or the next token as in GPT "
        "(auto: what the model was made for: mlm+nsp for bert, mlm for roberta, clm for gpt)",
        choices=(AUTO, "mlm+nsp", "mlm", "clm"),
    )
    output_dir: str = option("", "the run folder (default: a new folder in runs/)")
    overwrite: bool = option(False, "replace the run that output_dir holds")
    resume_from_checkpoint: str = option(
        "",
        "go on from a checkpoint or, of a run folder, from its newest (without a folder: of output_dir, or of the last "
        "run in runs/); options that are left at their defaults are those of the run",
        optional_value="newest",
    )
    allow_change: bool = option(
        False, "go on although the data or options that change the weights are others than the run began with"
    )
    save_every: int = option(
        1000, "steps between checkpoints, from which a run that was interrupted goes on; one at the end too (0: none)"
    )
    save_total_limit: int = option(2, "checkpoints that are kept: the newest (0: all)")
    max_steps: int = option(5000, "number of training steps")
    batch_size: int = option(16, "sequences in a batch, that of all ranks together under mpiexec")
    seq_len: int = option(64, "tokens in a sequence, special tokens included")
    learning_rate: float = option(
        0.0,
        "the highest learning rate, reached after the warm-up (0: 0.256 / width, which is 2e-3 for bert-tiny, 1e-3 for "
        "bert-mini and 3.3e-4 for bert-base)",
    )
    warmup_steps: int = option(
        -1, "steps in which the learning rate rises to its highest value (-1: one step in 25, 200 of 5,000)"
    )
    adam_beta2: float = option(
        0.98,
        "decay of AdamW's mean of squared gradients, as in RoBERTa; BERT's 0.999 averages over more steps than a short "
        "run has to spare",
    )
    weight_decay: float = option(0.01, "decoupled weight decay, on matrices and tables only")
    l1: float = option(0.0, "L1 penalty (proximal) beside it, on the same: small weights become exactly 0")
    max_grad_norm: float = option(1.0, "the gradient is scaled down to this norm where it is larger")
    max_skipped_steps: int = option(
        10,
        "a step whose loss or gradient is not finite is not taken, and logged as skipped; so many in a row end the run",
    )
    skip_outliers: float = option(
        0.0,
        "also skip a step whose gradient's norm is more than so many standard deviations above the mean of the last "
        "100 (0: never)",
    )
    gradient_accumulation_steps: int = option(1, "batches that make one step")
    initializer_range: float = option(
        0.0,
        "standard deviation of the initial weights (0: 0.02 sqrt(768 / width): BERT's 0.02 at BERT's width, more in "
        "a narrower model, so that what a layer computes is as large)",
    )
    dropout: float = option(
        0.0,
        "rate of dropout, on hidden states and attention probabilities: 0.1 in BERT, which is large; a small model "
        "that cannot learn its text by heart learns faster without",
    )
    vocab_size: int = option(2000, "size of the vocabulary that is trained on the corpus; of characters, at most")
    tokenizer: str = option(
        AUTO,
        "the kind of tokenizer to train, wordpiece, bpe (of bytes) or char; or a tokenizer.json, vocab.txt or folder "
        "to use instead (auto: wordpiece for bert, else bpe)",
    )
    cased: bool = option(False, "keep capitals and accents in WordPieces; byte pairs and characters always keep them")
    mask_rate: float = option(0.15, "share of the tokens to hide and predict, for mlm")
    whole_words: bool = option(False, "hide all pieces of a word together")
    heldout: float = option(0.1, "share of the corpus, by documents, that is held out for evaluation")
    eval_every: int = option(250, "steps between evaluations; the weights are saved at each")
    eval_batches: int = option(20, "batches in an evaluation")
    log_every: int = option(10, "steps between lines of log.jsonl")
    seed: int = option(0, "decides the split, the initial weights, the batches and dropout")
    backend: str = option(
        "numba", "numba: the compiled kernels; numpy: the reference, slower and readable", choices=("numba", "numpy")
    )
    blas_threads: int = option(
        0,
        "threads of NumPy's matrix products (0: one for models narrower than 256, whose products are too small to "
        "share and which would wait for a busy core, else all)",
    )
    dtype: str = option("float32", "of parameters and arithmetic", choices=("float32", "float64"))

    def __post_init__(self) -> None:
        """Raise `ConfigError` for a value that cannot work."""
        for name in AT_LEAST_ONE:
            if getattr(self, name) < 1:
                raise ConfigError(f"--{name} must be at least 1, but is {getattr(self, name)}")
        if not 0 < self.max_grad_norm < float("inf"):
            raise ConfigError(f"--max_grad_norm must be positive, but is {self.max_grad_norm}")
        for name in NOT_NEGATIVE:
            if not 0 <= getattr(self, name) < float("inf"):
                raise ConfigError(f"--{name} must not be negative, but is {getattr(self, name)}")
        for name in ("learning_rate", "initializer_range"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ConfigError(f"--{name} must be positive, or 0 for the default, but is {getattr(self, name)}")
        if self.vocab_size > LARGEST_VOCABULARY:
            raise ConfigError(f"--vocab_size must be at most {LARGEST_VOCABULARY:,}, but is {self.vocab_size:,}")
        if self.seq_len < 5:
            raise ConfigError(f"--seq_len must be at least 5, but is {self.seq_len}")
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"--dropout must be at least 0 and less than 1, but is {self.dropout}")
        for name in ("mask_rate", "heldout"):
            if not 0 < getattr(self, name) < 1:
                raise ConfigError(f"--{name} must be between 0 and 1, both excluded, but is {getattr(self, name)}")
        if self.warmup_steps == -1:
            self.warmup_steps = self.max_steps // 25
        if not 0 <= self.warmup_steps <= self.max_steps:
            raise ConfigError(
                f"--warmup_steps must be within 0..{self.max_steps} (max_steps), but is {self.warmup_steps}"
            )
        if not 0 <= self.adam_beta2 < 1:
            raise ConfigError(f"--adam_beta2 must be at least 0 and less than 1, but is {self.adam_beta2}")

    @classmethod
    def options(cls) -> tuple[Field, ...]:
        """Return the fields, for a command line to be made of."""
        return fields(cls)

    def to_dict(self) -> dict[str, Any]:
        """Return what `training_args.json` holds."""
        values = asdict(self)
        for name in OF_THIS_CALL:
            del values[name]
        return values
