"""The second part of our pre-training: which two halves belong to the same review?

A model as small as ours learns from masks how neighbouring words go together, and little about whole texts. Here the
mean of its vectors must say what a review is about and how it speaks of it: of two halves of a review the vectors
shall be alike, and unlike those of other reviews (`MatchingPairs`; Giorgi et al. 2021, arXiv:2006.03659). A word that
both halves have would give the answer away, so it is left out of one of them.
"""

import re
import warnings
from pathlib import Path

from minibert.sentence_encoder.encoder import SentenceEncoder
from minibert.sentence_encoder.recipe import Recipe
from minibert.training.callbacks import TrainerCallback

SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
WORD = re.compile(r"\w+")
LENGTH, BATCH, LEARNING_RATE, WARMUP = 96, 64, 1e-3, 0.06


def match_halves(
    texts: list[str], before: Path, into: Path, epochs: float, seed: int, tell: TrainerCallback | None = None
) -> None:
    """Train the model in the folder `before` on pairs of halves, and write it `into` another."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*initialised at random, not in the file: pooler")
        warnings.filterwarnings("ignore", message=".*sentences are longer than")  # cutting them is meant
        warnings.filterwarnings("ignore", message=".*left out, no parameters of")
        encoder = SentenceEncoder.from_pretrained(before)
        length = min(LENGTH, encoder.recipe.max_seq_length)
        encoder = SentenceEncoder(encoder.model, encoder.tokenizer, Recipe(max_seq_length=length))
        encoder.fit(
            [pair for text in texts if all(pair := halves(text))],
            callbacks=[tell] if tell else None,
            num_train_epochs=epochs,
            per_device_train_batch_size=BATCH,
            learning_rate=LEARNING_RATE,
            warmup_steps=WARMUP,
            train_sampling_strategy="group_by_length",
            logging_steps=0.05,
            seed=seed,
        )
    encoder.save_pretrained(into)


def halves(text: str) -> tuple[str, str]:
    """Return every other sentence of a text, and of the others the words that are not in the first half."""
    sentences = SENTENCE_END.split(text)
    if len(sentences) == 1:  # then every other word
        sentences = text.split()
    first, second = " ".join(sentences[::2]), " ".join(sentences[1::2])
    known = set(WORD.findall(first.lower()))
    return first, " ".join(word for word in WORD.findall(second) if word.lower() not in known)
