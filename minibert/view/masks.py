"""What each objective makes of the same text: which tokens it hides, what may be seen, which sentences are a pair."""

from itertools import chain, islice, repeat
from typing import Any

import numpy as np

from minibert.blocks.causal_loss import next_tokens
from minibert.data.sentences import split_sentences
from minibert.data.token_corpus import TokenCorpus
from minibert.data.tokenizer import vocabulary_of
from minibert.dispatch import backend
from minibert.errors import ConfigError, DataError
from minibert.objectives.batches import assemble_pairs
from minibert.objectives.masking import Vocabulary, mask_tokens
from minibert.objectives.next_sentence import Pair, sentence_pairs
from minibert.ops import attention
from minibert.tokenizers.auto import with_face
from minibert.view.page import Page
from minibert.view.windows import Windows

LONGEST = 128  # tokens of the text, and of a pair
MOST = 1000  # tokens of all documents


def masks_view(text: str | list[str], tokenizer: Any, mask_rate: float = 0.15, draws: int = 20, seed: int = 0) -> Page:
    """Return a view of what the objectives make of a text, with a button for another draw.

    Masked language modelling and whole word masking hide tokens; a causal model predicts every next token; next
    sentence prediction pairs sentences. A tokenizer without a mask token shows the causal objective alone.

    Parameters
    ----------
    text : str or list of str
        Of several documents the first is masked; the pairs are made of all.
    tokenizer : PretrainedTokenizer or tokenizers.Tokenizer
    mask_rate : float
        Share of the tokens to predict.
    draws : int
        How many draws the page holds.
    seed : int
        Decides them all.

    Returns
    -------
    Page
        Shows itself in Jupyter (extra `lessons`); `.to_html(path)` writes it.

    Raises
    ------
    ConfigError
        If there is nothing to draw.
    DataError
        If a text is empty or too long for a page.
    """
    if draws < 1 or not 0 < mask_rate <= 1:
        raise ConfigError(f"draws must be at least 1 and mask_rate within 0..1, but are {draws} and {mask_rate}")
    documents = [text] if isinstance(text, str) else list(text)
    tokenizer = with_face(tokenizer)
    corpus = _corpus(documents, tokenizer)
    plain = np.array(tokenizer.encode(documents[0], add_special_tokens=False), np.int64)  # (T,)
    if len(plain) > LONGEST:
        raise DataError(f"the text has {len(plain)} tokens, of which a page shows {LONGEST}: give a shorter one")
    windows = Windows(max(LONGEST, len(tokenizer.encode(documents[0])), draws), {})
    data = {
        "view": "masks",
        "title": "What each objective makes of a text",
        "draws": draws,
        "mask_rate": mask_rate,
        "causal": _causal(plain, windows),
        "masking": None,
        "pairs": None,
    }
    if tokenizer.mask_token is not None:
        vocabulary, rng = vocabulary_of(tokenizer), np.random.default_rng(seed)
        framed = np.array(tokenizer.encode(documents[0]))  # (T,)
        data["masking"] = _masking(framed, vocabulary, mask_rate, draws, rng, windows)
        data["pairs"] = _pairs(corpus, vocabulary, draws, rng)
    data["arrays"], numbers = windows.pack()
    data["words"] = _words(data, windows, tokenizer)
    return Page(data["title"], data, numbers)


def _corpus(documents: list[str], tokenizer: Any) -> TokenCorpus:
    """The documents as sentences of token ids, in memory."""
    encode = lambda sentence: tokenizer.encode(sentence, add_special_tokens=False)  # noqa: E731
    texts = [[ids for sentence in split_sentences(document) if (ids := encode(sentence))] for document in documents]
    if not texts or not all(texts):
        raise DataError("each text must have a token, but one has none: leave it out")
    sentences = [ids for sentences in texts for ids in sentences]
    corpus = TokenCorpus(
        tokens=np.concatenate(sentences),
        sentence_starts=np.cumsum([0, *map(len, sentences)]),
        document_starts=np.cumsum([0, *map(len, texts)]),
        documents=np.arange(len(texts)),
    )
    if corpus.n_tokens > MOST:
        raise DataError(f"the texts have {corpus.n_tokens} tokens, of which a page shows {MOST}: give fewer")
    return corpus


def _masking(
    ids: np.ndarray, vocabulary: Vocabulary, rate: float, draws: int, rng: np.random.Generator, windows: Windows
) -> dict[str, Any]:
    """The text as a batch of equal rows, hidden token by token, then word by word."""
    rows = np.tile(ids, (draws, 1))  # (draws, T)
    ordinary = ~np.isin(ids, vocabulary.special)  # (T,)
    drawn = {
        name: [windows.add(array) for array in mask_tokens(rows, vocabulary, rng, rate, whole_words)]
        for name, whole_words in (("tokens", False), ("words", True))
    }
    return {
        "mask": vocabulary.mask,
        "ordinary": int(ordinary.sum()),
        "continues": (ordinary & ~vocabulary.word_starts[ids]).tolist(),
        **{name: {"inputs": inputs, "labels": labels} for name, (inputs, labels) in drawn.items()},
    }


def _causal(ids: np.ndarray, windows: Windows) -> dict[str, Any]:
    """Which positions each position may see, asked of the attention itself, and what each must predict."""
    nothing = np.zeros((1, 1, len(ids), 1))  # (B, H, T, K): equal scores, so whatever may be seen has a share
    with backend("numpy"):
        _, cache = attention(nothing, nothing, nothing, None, 1.0, causal=True)
    seen = cache.probs[0, 0] > 0  # (T, T)
    return {"ids": windows.add(ids), "seen": windows.add(seen), "labels": windows.add(next_tokens(ids[None])[0])}


def _pairs(corpus: TokenCorpus, vocabulary: Vocabulary, draws: int, rng: np.random.Generator) -> dict[str, Any] | None:
    """Pairs of one pass over the documents after the other; None if these documents cannot give any."""
    sizes = np.diff(corpus.document_starts)
    if len(sizes) < 2 or sizes.max() < 2:
        return None
    passes = (sentence_pairs(corpus, LONGEST - 3, rng) for _ in repeat(None))
    drawn = islice(chain.from_iterable(passes), draws)
    return {
        "documents": [[corpus.sentence(i).tolist() for i in corpus.sentences(d)] for d in corpus.documents],
        "draws": [_pair(pair, corpus, vocabulary) for pair in drawn],
    }


def _pair(pair: Pair, corpus: TokenCorpus, vocabulary: Vocabulary) -> dict[str, Any]:
    batch = assemble_pairs(corpus.tokens, [pair], vocabulary)
    return {
        "ids": batch["input_ids"][0].tolist(),
        "segments": batch["token_type_ids"][0].tolist(),
        "label": int(batch["next_sentence_label"][0]),
        "A": [pair.first_start, pair.first_stop],
        "B": [pair.second_start, pair.second_stop],
    }


def _words(data: dict[str, Any], windows: Windows, tokenizer: Any) -> dict[int, str]:
    """The tokens of all ids on the page."""
    ids = [array for array, _ in windows.stored if array.dtype != bool]
    if data["pairs"]:
        ids += [pair["ids"] for pair in data["pairs"]["draws"]]
        ids += [sentence for document in data["pairs"]["documents"] for sentence in document]
    used = np.unique(np.concatenate([np.ravel(i) for i in ids]))
    return {int(i): tokenizer.convert_ids_to_tokens(int(i)) or f"id {i}" for i in used if i >= 0}
