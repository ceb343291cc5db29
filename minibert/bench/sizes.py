"""The sizes that a run of the bench measures, and which of them the targets were set for."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from minibert.errors import ConfigError
from minibert.models.bert import BertConfig
from minibert.models.gpt2 import GPT2Config


class Standard(NamedTuple):
    """What is measured of a model unless the user says otherwise."""

    batch_size: int = 16
    seq_len: int = 128
    vocab_size: int = 30522
    dropout: float = 0.1


STANDARD = {
    "bert-base": Standard(batch_size=4),
    "gpt2-nano": Standard(12, 64, 81, 0.0),  # nanoGPT's recipe for a CPU, on the characters of `shakespeare`
    "gpt2": Standard(4, 64, 50257),
}  # all others: Standard()


@dataclass(frozen=True)
class Sizes:
    """Batch and model of one comparison. The defaults are those that the targets were set for."""

    model: str = "bert-mini"
    batch_size: int = 0  # 0, here and below: the standard one of the model
    seq_len: int = 0
    vocab_size: int = 0
    dropout: float | None = None

    def __post_init__(self) -> None:
        """Fill in what is standard; raise `ConfigError` for a size that cannot work."""
        standard = STANDARD.get(self.model, Standard())
        for name in ("batch_size", "seq_len", "vocab_size"):
            if getattr(self, name) == 0:
                object.__setattr__(self, name, getattr(standard, name))
            if getattr(self, name) < 1:
                raise ConfigError(f"--{name} must be at least 1, but is {getattr(self, name)}")
        if self.dropout is None:
            object.__setattr__(self, "dropout", standard.dropout)
        if self.causal and self.seq_len < 2:
            raise ConfigError(f"--seq_len must be at least 2 for {self.model}, but is {self.seq_len}")
        self.config()  # raises for the rest

    def config(self) -> BertConfig | GPT2Config:
        """Return the model's configuration."""
        if self.causal:
            rates = dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), self.dropout)
            more: dict[str, Any] = {"n_positions": self.seq_len, "bos_token_id": None, "eos_token_id": None, **rates}
            return GPT2Config.named(self.model, vocab_size=self.vocab_size, **more)
        if self.model not in BertConfig.sizes:
            names = ", ".join([*BertConfig.sizes, *GPT2Config.sizes])
            raise ConfigError(f"no model size named {self.model!r} to measure: choose among {names}")
        return BertConfig.named(
            self.model,
            vocab_size=self.vocab_size,
            max_position_embeddings=max(512, self.seq_len),
            hidden_dropout_prob=self.dropout,
            attention_probs_dropout_prob=self.dropout,
        )

    @property
    def causal(self) -> bool:
        """Whether the model predicts the next token; if not, hidden ones."""
        return self.model in GPT2Config.sizes

    @property
    def predicted(self) -> int:
        """How many tokens of the batch are predicted: 15 %; or all but the first of each sequence."""
        if self.causal:
            return self.batch_size * (self.seq_len - 1)
        return max(1, round(0.15 * self.batch_size * self.seq_len))

    def are_standard(self) -> bool:
        """Whether these are the sizes that the targets were set for."""
        return self == Sizes(self.model)
