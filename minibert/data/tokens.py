"""Token ids on disk, memory-mapped: text larger than memory is encoded once and sampled at random.

A folder of tokens, named by a hash of the text and the tokenizer, holds three flat arrays and their description:

    tokens.bin           (n,)    uint16 or uint32   every token of every sentence, one after the other
    sentence_starts.bin  (S+1,)  int64              sentence i is tokens[sentence_starts[i] : sentence_starts[i+1]]
    document_starts.bin  (D+1,)  int64              document d is sentences document_starts[d] to [d+1] - 1
    meta.json
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from minibert.data.learning import require_rereadable
from minibert.data.pieces import split_losslessly
from minibert.data.sentences import split_sentences
from minibert.data.token_corpus import TokenCorpus
from minibert.data.tokenizer import vocabulary_size
from minibert.errors import DataError
from minibert.files import read_object
from minibert.tokenizers.backends import backend_of, is_wordpiece

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from minibert.tokenizers.base import PretrainedTokenizer

ARRAYS = ("tokens", "sentence_starts", "document_starts")
FORMAT = 1  # part of the key: raise it when sentence splitting or the files change
BATCH_CHARACTERS = 1_000_000  # bounds the memory of a batch, whatever the lengths of the sentences
INCOMPLETE = "incomplete-"
ABANDONED_SECONDS = 7 * 24 * 3600
Sentence = tuple[str, bool]  # the text, and whether it is the first of its document


def build_tokens(
    documents: Iterable[str], tokenizer: Tokenizer | PretrainedTokenizer, folder: str | Path, progress: bool = True
) -> TokenCorpus:
    """Split the documents into sentences, encode them and return the tokens, memory-mapped.

    For WordPiece these are sentences of the language. Byte pairs and characters keep the text as it is, so for them
    a "sentence" is a line, and the tokens of a document are those of the whole document. No special token is
    written: what stands between documents (`minibert.data.tokenizer.separator_id`) is for the objective to add.

    They are kept in a folder inside `folder` named by a hash of the text and the tokenizer; if it is there already,
    nothing is encoded. It appears under that name only when it is complete, so an interrupted run leaves no
    half-written cache, and two processes at once do no harm. Memory does not grow with the text. Special tokens
    written in the text, such as "[MASK]", are encoded as ordinary characters.

    Parameters
    ----------
    documents : iterable of str
        Read twice, so it cannot be an iterator: a list, or what `minibert.data.corpora.resolve` returns.
    tokenizer : tokenizers.Tokenizer or PretrainedTokenizer
    folder : str or Path
        Where caches are kept.
    progress : bool
        Show a progress bar, in a terminal, if it takes more than a second.

    Raises
    ------
    DataError
        No token is left of the documents, or the cache cannot be written.
    """
    require_rereadable(documents)
    tokenizer = backend_of(tokenizer)
    key, characters = _key(documents, tokenizer)
    complete = Path(folder) / key
    if complete.is_dir():
        try:
            return open_tokens(complete)
        except DataError:
            shutil.rmtree(complete, ignore_errors=True)  # damaged: make it anew
    try:
        complete.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(complete.parent)
        with tempfile.TemporaryDirectory(prefix=INCOMPLETE, dir=complete.parent, ignore_cleanup_errors=True) as new:
            with tqdm(
                total=characters,
                desc="Encoding",
                unit="char",
                unit_scale=True,
                delay=1,
                disable=None if progress else True,
            ) as b:
                _write(Path(new), _sentences(documents, tokenizer, b), tokenizer)
            _publish(Path(new), complete)
    except OSError as error:
        raise DataError(f"{folder}: the tokens cannot be written there ({error.strerror or error})") from error
    return open_tokens(complete)


def open_tokens(folder: str | Path) -> TokenCorpus:
    """Open a folder that `build_tokens` wrote, by memory map.

    Raises
    ------
    DataError
        The folder is missing, incomplete or damaged.
    """
    folder = Path(folder)
    try:
        meta = read_object(folder / "meta.json", DataError)
        arrays = {name: _map(folder / f"{name}.bin", **meta[name]) for name in ARRAYS}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{folder}: not a complete folder of tokens ({error}); delete it to have it made anew"
        ) from error
    return TokenCorpus(**arrays, documents=np.arange(len(arrays["document_starts"]) - 1))


def _map(path: Path, dtype: str, size: int) -> np.ndarray:
    array = np.memmap(path, dtype, mode="r")
    if len(array) != size:
        raise ValueError(f"{path.name} holds {len(array)} numbers instead of {size}")
    return array.view(np.ndarray)  # slicing a plain array is several times faster than slicing a memmap


def _key(documents: Iterable[str], tokenizer: Tokenizer) -> tuple[str, int]:
    """A hash of everything that the token ids depend on, and the number of characters."""
    digest = hashlib.sha256(f"{FORMAT}\n{tokenizer.to_str()}".encode())
    characters = 0
    for document in documents:
        text = document.encode()
        digest.update(len(text).to_bytes(8, "little"))
        digest.update(text)
        characters += len(document)
    return digest.hexdigest()[:32], characters


def _publish(new: Path, complete: Path) -> None:
    """Give the finished folder its name, unless another process was faster."""
    try:
        os.rename(new, complete)
    except OSError:
        if not complete.is_dir():
            raise


def _remove_abandoned(folder: Path) -> None:
    """Remove what processes that were killed left behind long ago."""
    for incomplete in folder.glob(f"{INCOMPLETE}*"):
        if time.time() - incomplete.stat().st_mtime > ABANDONED_SECONDS:
            shutil.rmtree(incomplete, ignore_errors=True)


def _sentences(documents: Iterable[str], tokenizer: Tokenizer, bar: tqdm) -> Iterator[Sentence]:
    split = split_sentences if is_wordpiece(tokenizer) else split_losslessly
    for document in documents:
        for i, sentence in enumerate(split(document)):
            yield sentence, i == 0
        bar.update(len(document))


def _batches(sentences: Iterable[Sentence]) -> Iterator[list[Sentence]]:
    batch, characters = [], 0
    for sentence in sentences:
        batch.append(sentence)
        characters += len(sentence[0])
        if characters >= BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def _encode(sentences: Iterable[Sentence], tokenizer: Tokenizer) -> Iterator[tuple[list[int], bool]]:
    """Yield the ids of each sentence that has any, and whether it is the first such sentence of its document."""
    from tokenizers import Tokenizer

    literal = Tokenizer.from_str(tokenizer.to_str())  # the caller's tokenizer stays as it is
    literal.encode_special_tokens = True
    new_document = False
    for batch in _batches(sentences):
        encodings = literal.encode_batch_fast([text for text, _ in batch], add_special_tokens=False)
        for (_, is_first), encoding in zip(batch, encodings, strict=True):
            new_document = new_document or is_first
            if ids := encoding.ids:
                yield ids, new_document
                new_document = False


def _write(folder: Path, sentences: Iterable[Sentence], tokenizer: Tokenizer) -> None:
    """Write the three arrays as they grow, then their description."""
    dtype = np.dtype(np.uint16 if vocabulary_size(tokenizer) <= 2**16 else np.uint32)
    n_tokens = n_sentences = n_documents = 0
    with (
        open(folder / "tokens.bin", "wb") as tokens,
        open(folder / "sentence_starts.bin", "wb") as sentence_starts,
        open(folder / "document_starts.bin", "wb") as document_starts,
    ):
        for ids, is_first in _encode(sentences, tokenizer):
            if is_first:
                document_starts.write(_int64(n_sentences))
                n_documents += 1
            sentence_starts.write(_int64(n_tokens))
            tokens.write(np.array(ids, dtype))
            n_sentences += 1
            n_tokens += len(ids)
        sentence_starts.write(_int64(n_tokens))
        document_starts.write(_int64(n_sentences))
    if not n_tokens:
        raise DataError("no token is left of the text: it holds nothing but white space and control characters")
    sizes = (n_tokens, n_sentences + 1, n_documents + 1)
    meta = {
        name: {"dtype": name_of_type, "size": size}
        for name, name_of_type, size in zip(ARRAYS, (dtype.name, "int64", "int64"), sizes, strict=True)
    }
    (folder / "meta.json").write_text(json.dumps(meta, indent=2) + "\n", encoding="utf-8")


def _int64(number: int) -> bytes:
    return number.to_bytes(8, sys.byteorder)
