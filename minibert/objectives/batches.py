"""From a corpus of token ids to batches of arrays, for the objectives that hide tokens."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from minibert.errors import ConfigError
from minibert.objectives.baselines import unigram
from minibert.objectives.full_sentences import Packed, full_sentences
from minibert.objectives.masking import Vocabulary, mask_tokens
from minibert.objectives.next_sentence import Corpus, Pair, check_pairs, sentence_pairs
from minibert.objectives.segments import Segment, segments

Batch = dict[str, np.ndarray]
SHUFFLE = 100_000  # examples are shuffled within blocks of this size; smaller corpora are one block


class PretrainingBatches:
    """Batches of one part of a corpus, drawn anew each epoch: other pairs, other masks.

    Everything follows from (seed, epoch), so epoch e gives the same batches whenever it is asked for.

    Parameters
    ----------
    corpus : Corpus
        For instance a `minibert.data.token_corpus.TokenCorpus`.
    vocabulary : Vocabulary
    objective : {"mlm+nsp", "mlm", "mlm, full sentences"}
        Pairs of segments (BERT), single segments, or segments across the borders of documents (RoBERTa).
    batch_size, seq_len : int
        B, and the largest T: a batch is as long as its longest sequence.
    seed : int
    mask_rate : float
        Share of the tokens to predict.
    whole_words : bool
        Hide all pieces of a word together.
    part : str
        "training" or "held-out": for messages.

    Raises
    ------
    ConfigError
        If the sequence length leaves no room for text.
    DataError
        If the objective needs pairs and the corpus cannot give them.
    """

    def __init__(
        self,
        corpus: Corpus,
        vocabulary: Vocabulary,
        objective: str,
        batch_size: int,
        seq_len: int,
        seed: int,
        mask_rate: float = 0.15,
        whole_words: bool = False,
        part: str = "training",
    ) -> None:
        if objective not in LAYOUTS:
            raise ConfigError(f"objective must be one of {', '.join(LAYOUTS)}, but is {objective!r}")
        layout = LAYOUTS[objective]
        if seq_len < layout.special + 2:
            raise ConfigError(
                f"seq_len must be at least {layout.special + 2} for the objective {objective}, but is {seq_len}"
            )
        layout.check(corpus, part)
        self.corpus = corpus
        self.vocabulary = vocabulary
        self.batch_size = batch_size
        self.max_tokens = seq_len - layout.special
        self.seed = seed
        self.mask_rate = mask_rate
        self.whole_words = whole_words
        self._layout = layout

    def epoch(self, number: int) -> Iterator[Batch]:
        """Yield the batches of one pass; the last one may be smaller."""
        rng = np.random.default_rng([self.seed, number])
        block: list[tuple[int, ...]] = []
        for example in self._layout.examples(self.corpus, self.max_tokens, rng):
            block.append(example)
            if len(block) == SHUFFLE:
                yield from self._batches(block, rng)
                block = []
        yield from self._batches(block, rng)

    def forever(self, epoch: int = 0) -> Iterator[tuple[int, Batch]]:
        """Yield (epoch, batch) without end."""
        while True:
            for batch in self.epoch(epoch):
                yield epoch, batch
            epoch += 1

    def baselines(self, training: "PretrainingBatches") -> dict[str, float]:
        """Return what can be reached on this text without context; special tokens are never predicted."""
        counts = self.corpus.token_counts(self.vocabulary.size)
        counts[list(self.vocabulary.special)] = 0
        best = unigram(counts)
        return {"unigram_loss": best.loss, "unigram_accuracy": best.accuracy}

    def _batches(self, examples: list[tuple[int, ...]], rng: np.random.Generator) -> Iterator[Batch]:
        order = rng.permutation(len(examples))
        for start in range(0, len(order), self.batch_size):
            chosen = [examples[i] for i in order[start : start + self.batch_size]]
            batch = self._layout.assemble(self.corpus.tokens, chosen, self.vocabulary)
            masked, labels = mask_tokens(batch["input_ids"], self.vocabulary, rng, self.mask_rate, self.whole_words)
            yield {**batch, "input_ids": masked, "labels": labels}


def assemble_pairs(tokens: np.ndarray, pairs: list[Pair], vocabulary: Vocabulary) -> Batch:
    """[CLS] A [SEP] B [SEP], padded to the longest: segment 0 up to the first [SEP], segment 1 from there."""
    cls, sep = [vocabulary.cls], [vocabulary.sep]
    rows, second_starts = [], []
    for a, a_stop, b, b_stop, _ in pairs:
        rows.append(np.concatenate([cls, tokens[a:a_stop], sep, tokens[b:b_stop], sep]))
        second_starts.append(a_stop - a + 2)
    batch = pad(rows, vocabulary.pad)
    after = np.arange(batch["input_ids"].shape[1]) >= np.array(second_starts)[:, None]  # (B, T)
    return {
        **batch,
        "token_type_ids": (after & (batch["attention_mask"] == 1)).astype(np.int64),
        "next_sentence_label": np.array([pair.is_random for pair in pairs]),
    }


def assemble_segments(tokens: np.ndarray, chosen: list[Segment], vocabulary: Vocabulary) -> Batch:
    """[CLS] A [SEP], padded to the longest."""
    cls, sep = [vocabulary.cls], [vocabulary.sep]
    return pad([np.concatenate([cls, tokens[start:stop], sep]) for start, stop in chosen], vocabulary.pad)


def assemble_packed(tokens: np.ndarray, chosen: list[Packed], vocabulary: Vocabulary) -> Batch:
    """[CLS] A [SEP] B [SEP], A and B of different documents, padded to the longest; all of it is one segment."""
    rows = []
    for (ranges,) in chosen:
        pieces = [piece for start, stop in ranges for piece in (tokens[start:stop], [vocabulary.sep])]
        rows.append(np.concatenate([[vocabulary.cls], *pieces]))
    return pad(rows, vocabulary.pad)


def pad(rows: list[np.ndarray], padding: int) -> Batch:
    """Return input_ids (B, T) and attention_mask (B, T) with T the longest row."""
    lengths = np.array([len(row) for row in rows])
    mask = np.arange(lengths.max()) < lengths[:, None]  # (B, T)
    ids = np.full(mask.shape, padding, np.int64)
    ids[mask] = np.concatenate(rows)
    return {"input_ids": ids, "attention_mask": mask.astype(np.int64)}


class Layout(NamedTuple):
    """How examples are taken from a corpus, and how they become rows."""

    special: int  # tokens of a row beside the text
    examples: Callable
    assemble: Callable
    check: Callable = lambda corpus, part: None


LAYOUTS = {
    "mlm+nsp": Layout(3, sentence_pairs, assemble_pairs, check_pairs),
    "mlm": Layout(2, segments, assemble_segments),
    "mlm, full sentences": Layout(2, full_sentences, assemble_packed),
}
