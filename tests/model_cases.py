"""Small models and a batch for each: what the gradient checks and the kernels' tests share.

Pairwise distinct odd sizes where heads allow it, padding on either side, weights that are larger than in
training, so that every term of the gradient counts.
"""

import numpy as np

import minibert

RNG = np.random.default_rng(0)
B, T, V = 3, 7, 11
RIGHT = np.arange(T) < np.array([[T], [5], [6]])
LEFT = RIGHT[:, ::-1]
IDS = RNG.integers(3, V, (B, T))  # RoBERTa's padding is id 1
WIDTHS = dict(vocab_size=V, n_positions=9, n_embd=6, n_layer=2, n_head=3, initializer_range=0.3)


def causal(mask, **more):
    return {"input_ids": IDS, "attention_mask": mask, "labels": np.where(mask, IDS, -100), **more}


def roberta():
    config = minibert.RobertaConfig(
        V, 6, 2, 3, 10, max_position_embeddings=11, type_vocab_size=1, initializer_range=0.3
    )
    labels = np.where((RNG.random((B, T)) < 0.5) & RIGHT, IDS, -100)
    batch = {"input_ids": np.where(RIGHT, IDS, 1), "attention_mask": RIGHT, "labels": labels}
    return minibert.RobertaForMaskedLM, config, batch


CASES = {  # name -> class, configuration, batch
    "gpt2": (minibert.GPT2LMHeadModel, minibert.GPT2Config(**WIDTHS, n_inner=10), causal(RIGHT)),
    "gpt2, padding on the left": (
        minibert.GPT2LMHeadModel,
        minibert.GPT2Config(**WIDTHS, activation_function="gelu"),
        causal(LEFT, position_ids=minibert.models.decoder.mask_positions(LEFT)),
    ),
    "gpt": (minibert.OpenAIGPTLMHeadModel, minibert.OpenAIGPTConfig(**WIDTHS), causal(RIGHT)),
    "roberta": roberta(),
}


def build(name):
    """The model in float64, every bias and normalisation moved off its initial value, and its batch."""
    cls, config, batch = CASES[name]
    model, rng = cls(config, seed=1, dtype="float64"), np.random.default_rng(1)
    model.params = minibert.tree.tree_map(lambda p: p + 0.1 * rng.normal(size=p.shape), model.params)
    return model, batch


def loss_of(model, batch, key=7):
    """The loss as a function of the parameters, with dropout."""

    def loss(params):
        model.params = params
        return model.forward_loss(batch, key, {})[0].total

    return loss
