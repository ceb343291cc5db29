"""Learn a WordPiece vocabulary, as BERT's (Devlin et al. 2018; Schuster & Nakajima 2012)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from minibert.data.alphabet import characters_by_frequency, pieces, sample
from minibert.data.learning import check_enough, check_request, learn
from minibert.tokenizers.backends import BERT_TOKENS, wordpiece

if TYPE_CHECKING:
    from tokenizers import Tokenizer

SMALLEST_VOCABULARY = len(BERT_TOKENS) + 2


def train_wordpiece(
    documents: Iterable[str], vocab_size: int, lowercase: bool = True, progress: bool = True
) -> Tokenizer:
    """Learn a WordPiece vocabulary, with BERT's normalisation, and return the tokenizer.

    The same documents always give the same vocabulary. Of more than 50 million characters, about that many are
    used, evenly spread over the text. Memory does not grow with the text, only with the number of different words.

    Parameters
    ----------
    documents : iterable of str
        Read three times, so it cannot be an iterator: a list, or what `minibert.data.corpora.resolve` returns.
    vocab_size : int
        Exactly so many tokens; [PAD] [UNK] [CLS] [SEP] [MASK] have the ids 0 to 4.
    lowercase : bool
        Uncased: capitals and accents are removed, as in BERT's uncased models.
    progress : bool
        Show a progress bar, in a terminal, if it takes more than a second.

    Raises
    ------
    ConfigError
        `vocab_size` is too small to hold anything but the special tokens, or above a million.
    DataError
        The text cannot give that many tokens; the message says how many it can.
    """
    from tokenizers import trainers

    check_request(documents, vocab_size, SMALLEST_VOCABULARY)
    total = sum(map(len, documents))
    trained = wordpiece({}, lowercase)
    characters = characters_by_frequency(sample(documents, total), trained)
    half = (vocab_size - len(BERT_TOKENS)) // 2  # two tokens each at most, so the alphabet never overfills
    alphabet = sorted(characters[:half])
    # The trainer numbers the continuation characters ##c in the order of a randomly seeded hash table, and breaks
    # ties between merges by those numbers. Handing them over as "special" tokens fixes their order.
    continuations = [token for token in pieces(alphabet, trained) if len(token) > 1]
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocab_size,
        min_frequency=2,
        show_progress=False,
        special_tokens=[*BERT_TOKENS, *continuations],
        initial_alphabet=alphabet,
        limit_alphabet=len(alphabet),
    )
    learn(trained, trainer, documents, total, progress)
    vocab = trained.get_vocab()
    for token in pieces(characters[half:], trained):  # thousands of Chinese characters leave nothing to merge
        vocab.setdefault(token, len(vocab))
    check_enough(vocab, vocab_size, total)
    vocab = {token: id for token, id in vocab.items() if id < vocab_size}
    return wordpiece(vocab, lowercase)
