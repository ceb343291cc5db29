"""Learn byte pairs, as GPT-2's and RoBERTa's (Sennrich et al. 2016; Radford et al. 2019, section 2.2)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from minibert.data.learning import check_enough, check_request, learn
from minibert.tokenizers.backends import GPT2_TOKENS, byte_bpe

if TYPE_CHECKING:
    from tokenizers import Tokenizer

N_BYTES = 256


def train_byte_bpe(
    documents: Iterable[str], vocab_size: int, progress: bool = True, special_tokens: tuple[str, ...] = GPT2_TOKENS
) -> Tokenizer:
    """Learn byte pairs as GPT-2 has them, and return the tokenizer.

    The special tokens have the first ids, then come the 256 bytes, then the pairs in the order they were learned.
    Text is sampled, and memory bounded, as in `train_wordpiece`.

    Parameters
    ----------
    documents : iterable of str
        Read twice, so it cannot be an iterator.
    vocab_size : int
        Exactly so many tokens.
    progress : bool
    special_tokens : tuple of str
        `GPT2_TOKENS`, or `ROBERTA_TOKENS` for masked language models.

    Raises
    ------
    ConfigError
        `vocab_size` cannot hold the bytes and the special tokens, or is above a million.
    DataError
        The text cannot give that many tokens; the message says how many it can.
    """
    from tokenizers import pre_tokenizers, trainers

    check_request(documents, vocab_size, len(special_tokens) + N_BYTES)
    trained = byte_bpe({}, [])
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=2,
        show_progress=False,
        special_tokens=list(special_tokens),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    total = sum(map(len, documents))
    learn(trained, trainer, documents, total, progress)
    model = json.loads(trained.to_str())["model"]
    check_enough(model["vocab"], vocab_size, total)
    merges = [tuple(merge.split(" ") if isinstance(merge, str) else merge) for merge in model["merges"]]
    return byte_bpe(model["vocab"], merges)
