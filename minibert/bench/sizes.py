"""The sizes that a run of the bench measures, and which of them the targets were set for."""

from dataclasses import dataclass, replace
from typing import Self

from minibert.errors import ConfigError
from minibert.models.bert import BertConfig

STANDARD_BATCH = {"bert-base": 4}  # all others: 16


@dataclass(frozen=True)
class Sizes:
    """Batch and model of one comparison. The defaults are those that the targets were set for."""

    model: str = "bert-mini"
    batch_size: int = 0  # 0: the standard one of the model
    seq_len: int = 128
    vocab_size: int = 30522
    dropout: float = 0.1

    def __post_init__(self) -> None:
        """Fill in the standard batch; raise `ConfigError` for a size that cannot work."""
        standard = STANDARD_BATCH.get(self.model, 16)
        if self.batch_size == 0:
            object.__setattr__(self, "batch_size", standard)
        for name in ("batch_size", "seq_len", "vocab_size"):
            if getattr(self, name) < 1:
                raise ConfigError(f"--{name} must be at least 1, but is {getattr(self, name)}")
        self.config()  # raises for the rest

    def config(self) -> BertConfig:
        """Return the model's configuration."""
        return BertConfig.named(
            self.model,
            vocab_size=self.vocab_size,
            max_position_embeddings=max(512, self.seq_len),
            hidden_dropout_prob=self.dropout,
            attention_probs_dropout_prob=self.dropout,
        )

    @property
    def masked(self) -> int:
        """How many tokens of the batch are predicted: 15 %."""
        return max(1, round(0.15 * self.batch_size * self.seq_len))

    def are_standard(self) -> bool:
        """Whether these are the sizes that the targets were set for."""
        return self == Sizes(self.model)

    def of(self, model: str, batch_size: int) -> Self:
        """Return the same sizes for another model; batch_size 0: that model's standard one."""
        return replace(self, model=model, batch_size=batch_size)
