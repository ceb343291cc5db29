"""Rung 3 for blocks: every element of every input and parameter, with dropout on."""

from functools import partial

import numpy as np
import pytest

from minibert.blocks.attention import self_attention, self_attention_backward
from minibert.blocks.causal_loss import causal_lm_loss, causal_lm_loss_backward
from minibert.blocks.decoder import decoder_layer, decoder_layer_backward
from minibert.blocks.decoder_embeddings import decoder_embeddings, decoder_embeddings_backward
from minibert.blocks.embeddings import embeddings, embeddings_backward
from minibert.blocks.encoder import encoder_layer, encoder_layer_backward
from minibert.blocks.feed_forward import TANH_FORM, feed_forward, feed_forward_backward
from minibert.blocks.heads import pooler, pooler_backward, transform, transform_backward
from minibert.blocks.losses import (
    masked_lm_loss,
    masked_lm_loss_backward,
    next_sentence_loss,
    next_sentence_loss_backward,
)
from minibert.blocks.stack import LayerSettings, stack, stack_backward
from minibert.blocks.token_vectors import token_vectors, token_vectors_backward
from minibert.gradcheck import check_gradients

B, T, D, H, F, V = 2, 5, 6, 3, 7, 9
RNG = np.random.default_rng(0)


def normal(*shape):
    return RNG.normal(size=shape) / 2


def linear_params(n_in, n_out):
    return {"weight": normal(n_in, n_out), "bias": normal(n_out)}


def norm_params():
    return {"gamma": 1 + normal(D), "beta": normal(D)}


def layer_params():
    return {
        "attention": {"qkv": linear_params(D, 3 * D), "output": linear_params(D, D)},
        "attention_norm": norm_params(),
        "feed_forward": {"up": linear_params(D, F), "down": linear_params(F, D)},
        "feed_forward_norm": norm_params(),
    }


def worst(forward, inputs, backward):
    """forward(inputs) -> y, cache; backward(dy, cache) -> a tree like inputs."""
    y, cache = forward(inputs)
    dy = np.random.default_rng(1).normal(size=np.shape(y))
    errors = check_gradients(lambda moved: float(np.sum(dy * forward(moved)[0])), inputs, backward(dy, cache))
    return max(error.relative_error for error in errors)


def pair(names, backward):
    return lambda dy, cache: dict(zip(names, backward(dy, cache), strict=True))


MASK = np.array([[True] * 5, [True, True, True, False, False]])[:, None, None, :]
SETTINGS = LayerSettings(H, "gelu", 1e-3, 0.2, 0.3)


def test_self_attention():
    inputs = {"x": normal(B, T, D), "p": layer_params()["attention"]}
    forward = lambda i: self_attention(i["x"], i["p"], H, MASK, 0.3, 5)  # noqa: E731
    assert worst(forward, inputs, pair("xp", self_attention_backward)) <= 1e-6


@pytest.mark.parametrize("activation", TANH_FORM)
def test_feed_forward(activation):
    inputs = {"x": normal(B, T, D), "p": layer_params()["feed_forward"]}
    forward = lambda i: feed_forward(i["x"], i["p"], activation)  # noqa: E731
    assert worst(forward, inputs, pair("xp", feed_forward_backward)) <= 1e-6


def test_encoder_layer():
    inputs = {"x": normal(B, T, D), "p": layer_params()}
    forward = lambda i: encoder_layer(i["x"], i["p"], SETTINGS, MASK, 5)  # noqa: E731
    assert worst(forward, inputs, pair("xp", encoder_layer_backward)) <= 1e-6


@pytest.mark.parametrize("layer", [encoder_layer, decoder_layer])
def test_causal_layer(layer):
    """Post-norm as in GPT, pre-norm as in GPT-2; padding on the left, so one query sees nothing."""
    inputs = {"x": normal(B, T, D), "p": layer_params()}
    settings = SETTINGS._replace(activation="gelu_new", causal=True)
    forward = lambda i: layer(i["x"], i["p"], settings, MASK[..., ::-1], 5)  # noqa: E731
    backward = encoder_layer_backward if layer is encoder_layer else decoder_layer_backward
    assert worst(forward, inputs, pair("xp", backward)) <= 1e-6


@pytest.mark.parametrize(
    ("layer", "layer_backward"), [(encoder_layer, encoder_layer_backward), (decoder_layer, decoder_layer_backward)]
)
def test_stack(layer, layer_backward):
    inputs = {"x": normal(B, T, D), "p": {"layers": {"0": layer_params(), "1": layer_params()}}}

    def forward(i):
        hidden, caches = stack(layer, i["x"], i["p"], SETTINGS, MASK, 5)
        return hidden[-1], caches

    backward = partial(stack_backward, layer_backward)
    assert worst(forward, inputs, pair("xp", backward)) <= 1e-6


@pytest.mark.parametrize("positions", [np.arange(T), np.tile(np.arange(T), (B, 1))])
def test_embeddings(positions):
    ids, segments = RNG.integers(0, V, (B, T)), RNG.integers(0, 2, (B, T))
    inputs = {"token": normal(V, D), "position": normal(7, D), "segment": normal(2, D), "norm": norm_params()}
    forward = lambda p: embeddings(ids, segments, positions, p, 1e-3, 0.3, 5)  # noqa: E731
    assert worst(forward, inputs, embeddings_backward) <= 1e-6


@pytest.mark.parametrize("positions", [np.arange(T), np.tile(np.arange(T), (B, 1))])
def test_decoder_embeddings(positions):
    ids = RNG.integers(0, V, (B, T))
    inputs = {"token": normal(V, D), "position": normal(7, D)}
    forward = lambda p: decoder_embeddings(ids, positions, p, 0.3, 5)  # noqa: E731
    assert worst(forward, inputs, decoder_embeddings_backward) <= 1e-6


def test_pooler():
    inputs = {"first": normal(B, D), "p": linear_params(D, D)}
    assert worst(lambda i: pooler(i["first"], i["p"]), inputs, pair(["first", "p"], pooler_backward)) <= 1e-6


def test_transform():
    inputs = {"h": normal(B, T, D), "p": {"dense": linear_params(D, D), "norm": norm_params()}}
    forward = lambda i: transform(i["h"], i["p"], "gelu", 1e-3)  # noqa: E731
    assert worst(forward, inputs, pair("hp", transform_backward)) <= 1e-6


def test_masked_lm_loss():
    labels = np.where(RNG.random((B, T)) < 0.5, RNG.integers(0, V, (B, T)), -100)
    head = {"dense": linear_params(D, D), "norm": norm_params(), "bias": normal(V)}
    inputs = {"hidden": normal(B, T, D), "table": normal(V, D), "p": head}

    def forward(i):
        part, cache = masked_lm_loss(i["hidden"], labels, i["table"], i["p"], "gelu", 1e-3, None)
        return part.loss, cache

    assert worst(forward, inputs, pair(["hidden", "table", "p"], masked_lm_loss_backward)) <= 1e-6


def test_causal_lm_loss():
    labels = np.where(RNG.random((B, T)) < 0.7, RNG.integers(0, V, (B, T)), -100)
    inputs = {"hidden": normal(B, T, D), "table": normal(V, D)}

    def forward(i):
        part, cache = causal_lm_loss(i["hidden"], labels, i["table"], None)
        return part.loss, cache

    assert worst(forward, inputs, pair(["hidden", "table"], causal_lm_loss_backward)) <= 1e-6


def test_next_sentence_loss():
    inputs = {"hidden": normal(B, T, D), "pooler": linear_params(D, D), "head": linear_params(D, 2)}

    def forward(i):
        part, cache = next_sentence_loss(i["hidden"], np.array([1, 0]), i["pooler"], i["head"], None)
        return part.loss, cache

    assert worst(forward, inputs, pair(["hidden", "pooler", "head"], next_sentence_loss_backward)) <= 1e-6


def test_token_vectors():
    """Both tables learn: the id 0, which stands in for virtual tokens, receives what is its own alone."""
    inputs = {"token": normal(V, D), "prompt": normal(2, D)}
    ids = np.array([[V, V + 1, 0, 3, 3], [V, V + 1, 8, 0, 1]])
    assert worst(lambda p: token_vectors(ids, p), inputs, token_vectors_backward) <= 1e-6
