"""A small model of each kind, in float64 and with a padded batch: what `minibert gradcheck` checks."""

import dataclasses
from typing import Any, NamedTuple

import numpy as np

from minibert.models.base import Model
from minibert.models.bert import BertConfig
from minibert.models.bert_heads import BertForPreTraining
from minibert.models.gpt import OpenAIGPTConfig, OpenAIGPTLMHeadModel
from minibert.models.gpt2 import GPT2Config, GPT2LMHeadModel
from minibert.models.roberta import RobertaConfig, RobertaForMaskedLM

B, T, V, D, L, H = 3, 7, 23, 12, 2, 3
STD = 0.3  # large enough that every term of the gradient counts
MODELS = {  # name -> class, configuration, its loss
    "bert": (BertForPreTraining, BertConfig(V, D, L, H, 20, max_position_embeddings=9), "MLM + NSP"),
    "roberta": (RobertaForMaskedLM, RobertaConfig(V, D, L, H, 20, max_position_embeddings=11), "MLM"),
    "gpt2": (GPT2LMHeadModel, GPT2Config(V, 9, D, L, H), "CLM"),
    "gpt": (OpenAIGPTLMHeadModel, OpenAIGPTConfig(V, 9, D, L, H), "CLM"),
}


class SmallModel(NamedTuple):
    """What to check."""

    model: Model
    batch: dict[str, Any]
    title: str


def small_model(name: str, seed: int) -> SmallModel:
    """Return the model of that name with random weights and a random batch."""
    cls, config, loss = MODELS[name]
    config = dataclasses.replace(config, initializer_range=STD)
    title = f"{loss} of a {cls.__name__} with {L} layers, {D} wide, {H} heads"
    return SmallModel(cls(config, seed, "float64"), _batch(loss, seed), title)


def _batch(loss: str, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    ids = rng.integers(2, V, (B, T))  # 0 and 1 stand for padding
    mask = np.arange(T) < np.array([[7], [5], [6]])
    targets = mask if loss == "CLM" else rng.random((B, T)) < 0.4
    batch = {"input_ids": ids, "attention_mask": mask, "labels": np.where(targets, ids, -100)}
    if loss == "MLM + NSP":
        batch["token_type_ids"] = np.tile(np.arange(T) > 3, (B, 1)).astype(int)
        batch["next_sentence_label"] = np.array([0, 1, 1])
    return batch
