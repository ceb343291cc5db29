"""BERT or RoBERTa on sequences of different lengths without padding, for inference."""

import numpy as np

from minibert.blocks.embeddings import embeddings
from minibert.blocks.packed import Run, packed_encoder
from minibert.models.bert import BertModel


def packed_bert(model: BertModel, ids: np.ndarray, runs: list[Run]) -> np.ndarray:
    """Return the last hidden state of packed sequences, what `model` gives each of them alone.

    ids (N,), the tokens of sequences one behind the other, of which `runs` says where they end  ->  (N, D). All
    segments are 0.
    """
    positions = np.concatenate([_positions(model, ids[run.rows].reshape(run.B, run.T)) for run in runs])  # (N,)
    segments = np.zeros_like(ids)  # (N,)
    table, c = model.params["embeddings"], model.config
    x, _ = embeddings(ids, segments, positions, table, c.layer_norm_eps, 0.0, None)  # (N, D)
    return packed_encoder(x, model.params["encoder"], c.layer_settings(), runs)


def _positions(model: BertModel, ids: np.ndarray) -> np.ndarray:
    """ids (B, T)  ->  the row of the position table for each token, (B T,)."""
    return np.broadcast_to(model.positions(ids), ids.shape).reshape(-1)
