"""Sentences as vectors: what is alike in meaning points the same way."""

from minibert.sentence_encoder.encoder import SentenceEncoder

__all__ = ["SentenceEncoder"]
