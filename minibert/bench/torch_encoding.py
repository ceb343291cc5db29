"""Sentences into vectors with Hugging Face's model in PyTorch: the other side of `encoding`.

As sentence-transformers does it: sorted by length, padded to the longest of a batch, PyTorch's own attention, no
gradients. Its tokenizer is the library that ours is.
"""

import functools

import numpy as np
import torch
import torch.nn.functional as F
import transformers

from minibert.bench.timing import Side
from minibert.bench.torch_bert import threads_text
from minibert.sentence_encoder import SentenceEncoder
from minibert.tokenizers import PretrainedTokenizer

BATCH_SIZES = 16, 32, 64


def variants(encoder: SentenceEncoder, sentences: list[str], threads: list[int]) -> dict[str, Side]:
    """Return the encoding by their model with our weights, in batches of several sizes, on several threads."""
    theirs = load(encoder)
    return {
        f"batches of {size}, {threads_text(n)}": side(theirs, encoder, sentences, size, n)
        for size in BATCH_SIZES
        for n in threads
    }


def load(encoder: SentenceEncoder) -> transformers.BertModel:
    """Return their model with our weights."""
    fields = {name: value for name, value in encoder.model.config.to_dict().items() if name != "model_type"}
    theirs = transformers.BertModel(transformers.BertConfig(**fields), add_pooling_layer=False).eval()
    tensors = {name: torch.from_numpy(np.ascontiguousarray(t)) for name, t in encoder.model.to_hf().items()}
    lacking, _ = theirs.load_state_dict(tensors, strict=False)  # the pooler is not used
    if lacking:
        raise ValueError(f"their model has parameters that ours has not: {', '.join(lacking)}")
    return theirs


def side(
    theirs: transformers.BertModel, encoder: SentenceEncoder, sentences: list[str], batch_size: int, threads: int
) -> Side:
    """Return their encoding; running it returns the vectors."""
    tokenizer, most = encoder.tokenizer, encoder.recipe.max_seq_length

    def run() -> np.ndarray:
        rows = tokenizer(sentences, truncation=True, max_length=most)["input_ids"]
        order = np.argsort([len(row) for row in rows], kind="stable")
        vectors = np.empty((len(rows), theirs.config.hidden_size), np.float32)
        with torch.inference_mode():
            for start in range(0, len(rows), batch_size):
                batch = order[start : start + batch_size]
                vectors[batch] = embed(theirs, [rows[i] for i in batch], tokenizer).numpy()
        return vectors

    return Side(run, functools.partial(torch.set_num_threads, threads))


def embed(theirs: transformers.BertModel, rows: list[list[int]], tokenizer: PretrainedTokenizer) -> torch.Tensor:
    """rows of ids  ->  the normalised mean of each (B, D)."""
    longest = max(map(len, rows))
    ids = torch.full((len(rows), longest), tokenizer.pad_token_id)
    mask = torch.zeros(len(rows), longest)
    for i, row in enumerate(rows):
        ids[i, : len(row)], mask[i, : len(row)] = torch.tensor(row), 1
    full = bool(mask.all())  # without padding PyTorch's attention needs no mask, and is faster
    hidden = theirs(ids, attention_mask=None if full else mask.long()).last_hidden_state  # (B, T, D)
    mean = (hidden * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True)  # (B, D)
    return F.normalize(mean)
