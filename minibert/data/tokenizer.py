"""WordPiece tokenizers: train one, open one, save one in the layout that Hugging Face's tools open.

The algorithm is the library `tokenizers`; it is imported inside the functions, because most of minibert runs
without it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from tqdm import tqdm

from minibert.data.alphabet import SAMPLE_CHARACTERS, characters_by_frequency, pieces, sample
from minibert.errors import ConfigError, DataError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
SMALLEST_VOCABULARY = len(SPECIAL_TOKENS) + 2


class SpecialIds(NamedTuple):
    """The ids of the five special tokens."""

    pad: int
    unk: int
    cls: int
    sep: int
    mask: int


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
        `vocab_size` is too small to hold anything but the special tokens.
    DataError
        The text cannot give that many tokens; the message says how many it can.
    """
    from tokenizers import trainers

    if vocab_size < SMALLEST_VOCABULARY:
        raise ConfigError(f"vocab_size is {vocab_size}; it must be at least {SMALLEST_VOCABULARY}")
    require_rereadable(documents)
    total = sum(map(len, documents))
    trained = _bert_tokenizer({}, lowercase)
    characters = characters_by_frequency(sample(documents, total), trained)
    half = (vocab_size - len(SPECIAL_TOKENS)) // 2  # two tokens each at most, so the alphabet never overfills
    alphabet = sorted(characters[:half])
    # The trainer numbers the continuation characters ##c in the order of a randomly seeded hash table, and breaks
    # ties between merges by those numbers. Handing them over as "special" tokens fixes their order.
    continuations = [token for token in pieces(alphabet, trained) if len(token) > 1]
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocab_size,
        min_frequency=2,
        show_progress=False,
        special_tokens=[*SPECIAL_TOKENS, *continuations],
        initial_alphabet=alphabet,
        limit_alphabet=len(alphabet),
    )
    size = min(total, SAMPLE_CHARACTERS)
    with tqdm(
        total=size,
        desc="Learning the vocabulary",
        unit="char",
        unit_scale=True,
        delay=1,
        disable=None if progress else True,
    ) as bar:
        trained.train_from_iterator(_watched(sample(documents, total), bar), trainer)
    vocab = trained.get_vocab()
    for token in pieces(characters[half:], trained):  # thousands of Chinese characters leave nothing to merge
        vocab.setdefault(token, len(vocab))
    if len(vocab) < vocab_size:
        raise DataError(
            f"a vocabulary of {vocab_size} tokens was asked for, but the text ({total} characters) can give only "
            f"{len(vocab)}: ask for at most that many (--vocab_size), or add text"
        )
    vocab = {token: id for token, id in vocab.items() if id < vocab_size}
    return _bert_tokenizer(vocab, lowercase)


def load_tokenizer(path: str | Path) -> Tokenizer:
    """Open a `tokenizer.json`, a `vocab.txt` (one token a line), or a folder that holds either.

    Truncation and padding that a `tokenizer.json` may ask for are switched off: batches are ours to shape. A
    `vocab.txt` is cased if a `tokenizer_config.json` beside it says so, or else if any of its tokens has a capital.

    Raises
    ------
    DataError
        The path is missing, the file is damaged, the tokenizer is no WordPiece, or a special token is missing.
    """
    path = Path(path)
    if path.is_dir():
        found = [path / name for name in ("tokenizer.json", "vocab.txt") if (path / name).is_file()]
        if not found:
            raise DataError(f"{path}: this folder holds neither tokenizer.json nor vocab.txt")
        path = found[0]
    if not path.is_file():
        raise DataError(f"{path}: no such tokenizer; give a tokenizer.json, a vocab.txt or a folder that holds either")
    tokenizer = _from_json(path) if path.suffix == ".json" else _from_vocab(path)
    try:
        special_ids(tokenizer)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    return tokenizer


def save_tokenizer(tokenizer: Tokenizer, folder: str | Path, model_max_length: int | None = None) -> None:
    """Write `tokenizer.json`, `tokenizer_config.json` and `vocab.txt`, the layout of a BERT checkpoint folder."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    names = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
    config = {
        "tokenizer_class": "BertTokenizer",
        "do_lower_case": tokenizer.normalizer is not None and tokenizer.normalizer.normalize_str("A") == "a",
        **dict(zip(names, SPECIAL_TOKENS, strict=True)),
    }
    if model_max_length is not None:
        config["model_max_length"] = model_max_length
    by_id = sorted((id, token) for token, id in tokenizer.get_vocab().items())
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    (folder / "vocab.txt").write_text("".join(f"{token}\n" for _, token in by_id), encoding="utf-8", newline="\n")


def special_ids(tokenizer: Tokenizer) -> SpecialIds:
    """Return the ids of the special tokens; a tokenizer without one of them is a `DataError`."""
    ids = [tokenizer.token_to_id(token) for token in SPECIAL_TOKENS]
    missing = [token for token, id in zip(SPECIAL_TOKENS, ids, strict=True) if id is None]
    if missing:
        raise DataError(f"the tokenizer lacks {' '.join(missing)}, which BERT needs: use a BERT vocabulary")
    return SpecialIds(*ids)


def word_starts(tokenizer: Tokenizer) -> np.ndarray:
    """Return bool (V,): whether a token starts a word; False for the continuation pieces `##x`."""
    prefix = tokenizer.model.continuing_subword_prefix
    vocab = tokenizer.get_vocab()
    starts = np.ones(vocabulary_size(tokenizer), bool)
    starts[[id for token, id in vocab.items() if token.startswith(prefix) and token != prefix]] = False
    return starts


def vocabulary_size(tokenizer: Tokenizer) -> int:
    """Return V, one more than the largest id (ids may have gaps in a vocabulary that someone extended)."""
    return max(tokenizer.get_vocab().values()) + 1


def require_rereadable(documents: Iterable[str]) -> None:
    """Refuse an iterator, which would be empty the second time it is read."""
    if isinstance(documents, Iterator):
        raise TypeError("the documents are read several times: pass a list or a Documents object, not an iterator")


def _bert_tokenizer(vocab: dict[str, int], lowercase: bool) -> Tokenizer:
    """A tokenizer with BERT's normalisation, word splitting, template and decoder around `vocab`."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    tokenizer = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(
        clean_text=True, handle_chinese_chars=True, strip_accents=None, lowercase=lowercase
    )
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(prefix="##")
    if set(SPECIAL_TOKENS) <= vocab.keys():  # in any other vocabulary this would number them anew
        tokenizer.add_special_tokens(list(SPECIAL_TOKENS))
        tokenizer.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]",
            pair="[CLS] $A [SEP] $B:1 [SEP]:1",
            special_tokens=[(token, vocab[token]) for token in ("[CLS]", "[SEP]")],
        )
    return tokenizer


def _watched(texts: Iterator[str], bar: tqdm) -> Iterator[str]:
    for text in texts:
        bar.update(len(text))
        yield text


def _from_json(path: Path) -> Tokenizer:
    from tokenizers import Tokenizer, models

    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises bare Exception
        raise DataError(f"{path}: not a tokenizer file that can be read ({error})") from error
    if not isinstance(tokenizer.model, models.WordPiece):
        raise DataError(f"{path}: a {type(tokenizer.model).__name__} tokenizer; only WordPiece is supported")
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _from_vocab(path: Path) -> Tokenizer:
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: invalid UTF-8 at byte offset {error.start}; save it as UTF-8") from error
    tokens = [line.rstrip("\r") for line in lines]
    while tokens and not tokens[-1]:
        tokens.pop()
    vocab = {token: id for id, token in enumerate(tokens)}
    if len(vocab) < len(tokens):
        twice = next(token for id, token in enumerate(tokens) if vocab[token] != id)
        raise DataError(f"{path}, line {vocab[twice] + 1}: the token {twice!r} stands there a second time")
    return _bert_tokenizer(vocab, lowercase=_is_uncased(path, tokens))


def _is_uncased(path: Path, tokens: list[str]) -> bool:
    config = path.with_name("tokenizer_config.json")
    if config.is_file():
        try:
            return bool(json.loads(config.read_text(encoding="utf-8")).get("do_lower_case", True))
        except (ValueError, AttributeError) as error:
            raise DataError(f"{config}: not a JSON object ({error})") from error
    return all(token == token.lower() for token in tokens if not (token.startswith("[") and token.endswith("]")))
