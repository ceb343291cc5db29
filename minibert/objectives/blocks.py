"""Batches for a causal language model: blocks of T tokens from anywhere in the text, and no padding."""

from collections.abc import Iterator

import numpy as np

from minibert.errors import ConfigError, DataError
from minibert.objectives.baselines import bigram, unigram
from minibert.objectives.next_sentence import Corpus
from minibert.objectives.stream import Stream

Batch = dict[str, np.ndarray]


class CausalBatches:
    """Blocks of one part of a corpus, at places drawn anew for each batch; every token predicts the next.

    An epoch has as many blocks as the text would fill. Everything follows from (seed, epoch), so epoch e gives
    the same batches whenever it is asked for.

    Parameters
    ----------
    corpus : Corpus
    separator : int
        The id that stands behind each document.
    vocab_size : int
    batch_size, seq_len : int
        B and T.
    seed : int
    part : str
        "training" or "held-out": for messages.

    Raises
    ------
    ConfigError
        If a block would hold nothing to predict.
    DataError
        If the text is shorter than a block.
    """

    def __init__(
        self,
        corpus: Corpus,
        separator: int,
        vocab_size: int,
        batch_size: int,
        seq_len: int,
        seed: int,
        part: str = "training",
    ) -> None:
        if seq_len < 2:
            raise ConfigError(f"seq_len must be at least 2 for the objective clm, but is {seq_len}")
        self.stream = Stream(corpus, separator)
        if len(self.stream) < seq_len:
            raise DataError(
                f"the {part} part of the corpus has {len(self.stream)} tokens, fewer than one block of {seq_len}: "
                "choose a smaller --seq_len or give more text"
            )
        self.vocab_size = vocab_size
        self.batch_size, self.seq_len = batch_size, seq_len
        self.seed = seed

    def epoch(self, number: int) -> Iterator[Batch]:
        """Yield batches: input_ids (B, T), labels the same, since the model shifts them, attention_mask of ones."""
        rng = np.random.default_rng([self.seed, number])
        B, T = self.batch_size, self.seq_len
        for _ in range(-(-len(self.stream) // (B * T))):
            offsets = rng.integers(0, len(self.stream) - T + 1, (B, 1))
            ids = self.stream.read(offsets + np.arange(T))  # (B, T)
            yield {"input_ids": ids, "labels": ids, "attention_mask": np.ones_like(ids)}

    def forever(self, epoch: int = 0) -> Iterator[tuple[int, Batch]]:
        """Yield (epoch, batch) without end."""
        while True:
            for batch in self.epoch(epoch):
                yield epoch, batch
            epoch += 1

    def baselines(self, training: "CausalBatches") -> dict[str, float]:
        """Return what can be reached on this text with no context, and with one token of it."""
        text = self.stream.all()
        alone = unigram(np.bincount(text, minlength=self.vocab_size))
        pairs = bigram(training.stream.all(), text, self.vocab_size)
        return {"unigram_loss": alone.loss, "unigram_accuracy": alone.accuracy, "bigram_loss": pairs}
