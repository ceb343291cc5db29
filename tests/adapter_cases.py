"""Small models of each kind, in float64, and every way to adapt them: what the tests of `finetuning` share."""

import numpy as np
from model_cases import CASES, build

import minibert
from minibert.finetuning.methods import adapt
from minibert.finetuning.peft_config import LoraConfig, PromptTuningConfig
from minibert.finetuning.peft_model import get_peft_model
from minibert.frozen import trainable
from minibert.tree import flatten, tree_map, unflatten

BERT = minibert.BertConfig(
    vocab_size=11, hidden_size=6, num_hidden_layers=2, num_attention_heads=3, intermediate_size=10,
    max_position_embeddings=9, initializer_range=0.3,
)  # fmt: skip
RNG = np.random.default_rng(5)
MASK = np.arange(7) < np.array([[7], [5], [6]])
BATCH = {
    "input_ids": RNG.integers(0, 11, (3, 7)),
    "attention_mask": MASK,
    "token_type_ids": np.tile(np.arange(7) > 3, (3, 1)).astype(int),
    "labels": np.where(MASK & (RNG.random((3, 7)) < 0.5), RNG.integers(0, 11, (3, 7)), -100),
    "next_sentence_label": np.array([0, 1, 1]),
}
MODELS = ["bert", *(name for name in CASES if "padding" not in name)]
EVERYTHING = r".*layers?\.\d+\..*(query|key|value|dense|c_attn|c_proj|c_fc)|.*h\.\d+\..*(c_attn|c_proj|c_fc)"
WAYS = ["full", "head", "feed-forward", "bias", "lora", "lora everywhere", "prompt"]


def pairs():
    """(model, way) as far as they go together: GPT-2 with its tied decoder has no head of its own."""
    return [(m, w) for m in MODELS for w in WAYS if w != "head" or m in ("bert", "roberta")]


def base(name):
    """A model with nothing at its initial value, and its batch."""
    if name != "bert":
        return build(name)
    model, rng = minibert.BertForPreTraining(BERT, seed=1, dtype="float64"), np.random.default_rng(1)
    model.params = tree_map(lambda p: p + 0.1 * rng.normal(size=p.shape), model.params)
    return model, BATCH


def adapted(name, way):
    """The model adapted; what is added is not at its initial value either, so that B is not zero."""
    model, batch = base(name)
    if way.startswith("lora"):
        targets = EVERYTHING if way == "lora everywhere" else None
        model = get_peft_model(model, LoraConfig(r=2, lora_alpha=3, lora_dropout=0.3, target_modules=targets))
    elif way == "prompt":
        model = get_peft_model(model, PromptTuningConfig(num_virtual_tokens=2))
    else:
        return adapt(model, way), batch
    rng = np.random.default_rng(2)
    learned = flatten(trainable(model.params))
    put(model, {n: leaf + 0.3 * rng.normal(size=leaf.shape) for n, leaf in learned.items()})
    return model, batch


def put(model, flat):
    """Give the model other arrays at the dotted names of `flat`."""
    model.params = unflatten({**flatten(model.params), **flat})
