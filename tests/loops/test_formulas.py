"""The formulas that minibert promises to compute, each by Python loops over scalars, symbol by symbol."""

import math

import numpy as np
import pytest

from minibert import BertConfig, BertForPreTraining, ops
from minibert.blocks.attention import self_attention
from minibert.blocks.causal_loss import causal_lm_loss
from minibert.blocks.decoder import decoder_layer
from minibert.blocks.embeddings import embeddings
from minibert.blocks.encoder import encoder_layer
from minibert.blocks.losses import masked_lm_loss, next_sentence_loss
from minibert.blocks.stack import LayerSettings

CLOSE = {"rtol": 1e-12, "atol": 1e-13}  # a few products deep, in float64


@pytest.fixture
def rng():
    return np.random.default_rng(1)


def dot(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True))


def softmax(scores):
    total = sum(math.exp(s) for s in scores)
    return [math.exp(s) / total for s in scores]


def attention(Q, K, V, visible=lambda i, j: True):
    """Formula 1, row by row, over the keys that a query may see."""
    rows = []
    for i, q in enumerate(Q):
        js = [j for j in range(len(K)) if visible(i, j)]
        p = softmax([dot(q, K[j]) / math.sqrt(len(q)) for j in js])  # of no keys: nothing to add up, zeros
        rows.append([sum(p_j * V[j][d] for p_j, j in zip(p, js, strict=True)) for d in range(len(V[0]))])
    return rows


def layer_norm(x, eps):
    mean = sum(x) / len(x)
    var = sum((v - mean) ** 2 for v in x) / len(x)
    return [(v - mean) / math.sqrt(var + eps) for v in x]


def matmul(X, W):
    return [[dot(x, [row[o] for row in W]) for o in range(len(W[0]))] for x in X]


def one_head(*arrays):
    return (array[None, None] for array in arrays)


def test_1_scaled_dot_product_attention(rng):
    Q, K, V = rng.normal(size=(4, 6)), rng.normal(size=(5, 6)), rng.normal(size=(5, 6))
    out, _ = ops.attention(*one_head(Q, K, V), None, 1 / math.sqrt(6))
    np.testing.assert_allclose(out[0, 0], attention(Q, K, V), **CLOSE)


def attention_params(rng, D, heads):
    """Separate W^Q, W^K, W^V for each head, and the fused parameters that hold the same numbers."""
    W = rng.normal(size=(3, heads, D, D // heads)) / 2
    WO = rng.normal(size=(D, D))
    fused = np.concatenate([W[i, h] for i in range(3) for h in range(heads)], axis=1)
    zero = {"qkv": {"weight": fused, "bias": np.zeros(3 * D)}, "output": {"weight": WO, "bias": np.zeros(D)}}
    return W, WO, zero


def multi_head(X, W, WO, visible=lambda i, j: True):
    """Formula 2."""
    heads = [attention(*(matmul(X, W[i, h]) for i in range(3)), visible) for h in range(W.shape[1])]
    concat = [[v for head in heads for v in head[t]] for t in range(len(X))]
    return matmul(concat, WO)


def test_2_multi_head_attention(rng):
    X = rng.normal(size=(5, 6))
    W, WO, p = attention_params(rng, 6, heads=3)
    y, _ = self_attention(X[None], p, heads=3, bias=None)
    np.testing.assert_allclose(y[0], multi_head(X, W, WO), **CLOSE)


def test_3_masked_attention_sees_itself_and_what_stands_to_its_left(rng):
    Q, K, V = rng.normal(size=(3, 5, 6))
    out, _ = ops.attention(*one_head(Q, K, V), np.tri(5, dtype=bool)[None, None], 1 / math.sqrt(6))
    np.testing.assert_allclose(out[0, 0], attention(Q, K, V, visible=lambda i, j: j <= i), **CLOSE)
    causal, _ = ops.attention(*one_head(Q, K, V), None, 1 / math.sqrt(6), causal=True)
    np.testing.assert_array_equal(causal, out)


def test_3_the_last_query_stands_at_the_last_key(rng):
    """As when a text goes on: 2 new queries behind 3 keys that are there already."""
    Q, K, V = rng.normal(size=(3, 5, 6))
    whole, _ = ops.attention(*one_head(Q, K, V), None, 0.4, causal=True)
    last, _ = ops.attention(*one_head(Q[3:], K, V), None, 0.4, causal=True)
    np.testing.assert_allclose(last, whole[:, :, 3:], **CLOSE)


@pytest.mark.parametrize("hidden", [(), (0, 1), (4,)])
def test_3_masked_attention_with_padding_on_either_side(rng, hidden):
    """A query sees the tokens among the keys to its left; if there is none, it yields zeros."""
    Q, K, V = rng.normal(size=(3, 5, 6))
    mask = np.array([j not in hidden for j in range(5)])
    out, _ = ops.attention(*one_head(Q, K, V), mask[None, None, None], 1 / math.sqrt(6), causal=True)
    expected = attention(Q, K, V, visible=lambda i, j: j <= i and j not in hidden)
    np.testing.assert_allclose(out[0, 0], expected, **CLOSE)


def test_4_self_attention_by_elements_is_formula_1_with_scale_1(rng):
    X, WQ, WK, WV = rng.normal(size=(5, 6)), *rng.normal(size=(3, 6, 4)) / 2
    xq, xk, xv = (matmul(X, W) for W in (WQ, WK, WV))
    z = []
    for i in range(5):
        s = [dot(xq[i], xk[j]) for j in range(5)]
        alpha = [math.exp(s[j]) / sum(math.exp(s[k]) for k in range(5)) for j in range(5)]
        z.append([sum(alpha[j] * xv[j][d] for j in range(5)) for d in range(4)])
    out, _ = ops.attention(*one_head(X @ WQ, X @ WK, X @ WV), None, 1.0)
    np.testing.assert_allclose(out[0, 0], z, **CLOSE)


def test_5_cross_attention_averages_the_encoder_outputs(rng):
    S, H, WQ, WK = rng.normal(size=(4, 6)), rng.normal(size=(7, 6)), *rng.normal(size=(2, 6, 6)) / 2
    sq, hk = matmul(S, WQ), matmul(H, WK)
    a = []
    for i in range(4):
        t = [dot(sq[i], hk[j]) for j in range(7)]
        beta = [math.exp(t[j]) / sum(math.exp(t[k]) for k in range(7)) for j in range(7)]
        a.append([sum(beta[j] * H[j][d] for j in range(7)) for d in range(6)])
    out, _ = ops.attention(*one_head(S @ WQ, H @ WK, H), None, 1.0)
    np.testing.assert_allclose(out[0, 0], a, **CLOSE)


def test_6_transformer_layer(rng):
    X, eps = rng.normal(size=(5, 6)), 1e-12
    W, WO, p_attention = attention_params(rng, 6, heads=2)
    W1, b1, W2, b2 = rng.normal(size=(6, 8)), rng.normal(size=8), rng.normal(size=(8, 6)), rng.normal(size=6)
    a = multi_head(X, W, WO)
    h = [layer_norm([x + s for x, s in zip(X[t], a[t], strict=True)], eps) for t in range(5)]
    y = []
    for t in range(5):
        u = [dot(h[t], W1[:, f]) + b1[f] for f in range(8)]
        g = [v * 0.5 * (1 + math.erf(v / math.sqrt(2))) for v in u]
        y.append(layer_norm([h[t][d] + dot(g, W2[:, d]) + b2[d] for d in range(6)], eps))
    norm = {"gamma": np.ones(6), "beta": np.zeros(6)}
    ffn = {"up": {"weight": W1, "bias": b1}, "down": {"weight": W2, "bias": b2}}
    p = {"attention": p_attention, "attention_norm": norm, "feed_forward": ffn, "feed_forward_norm": norm}
    out, _ = encoder_layer(X[None], p, LayerSettings(2, "gelu", eps, 0.0, 0.0), None, None)
    np.testing.assert_allclose(out[0], y, **CLOSE)


def test_6_pre_norm_layer_of_gpt2(rng):
    """GPT-2 normalises what a sublayer reads, not the sum; a position sees itself and what stands to its left."""
    X, eps = rng.normal(size=(5, 6)), 1e-5
    W, WO, p_attention = attention_params(rng, 6, heads=2)
    W1, b1, W2, b2 = rng.normal(size=(6, 8)), rng.normal(size=8), rng.normal(size=(8, 6)), rng.normal(size=6)
    a = multi_head([layer_norm(x, eps) for x in X], W, WO, visible=lambda i, j: j <= i)
    h = [[x + s for x, s in zip(X[t], a[t], strict=True)] for t in range(5)]
    y = []
    for t in range(5):
        n = layer_norm(h[t], eps)
        u = [dot(n, W1[:, f]) + b1[f] for f in range(8)]
        g = [0.5 * v * (1 + math.tanh(math.sqrt(2 / math.pi) * (v + 0.044715 * v**3))) for v in u]
        y.append([h[t][d] + dot(g, W2[:, d]) + b2[d] for d in range(6)])
    norm = {"gamma": np.ones(6), "beta": np.zeros(6)}
    ffn = {"up": {"weight": W1, "bias": b1}, "down": {"weight": W2, "bias": b2}}
    p = {"attention": p_attention, "attention_norm": norm, "feed_forward": ffn, "feed_forward_norm": norm}
    settings = LayerSettings(2, "gelu_new", eps, 0.0, 0.0, causal=True)
    np.testing.assert_allclose(decoder_layer(X[None], p, settings, None, None)[0][0], y, **CLOSE)


def test_7_input_is_token_plus_position_plus_segment(rng):
    token, position, segment = rng.normal(size=(9, 6)), rng.normal(size=(5, 6)), rng.normal(size=(2, 6))
    ids, segments = np.array([[8, 1, 1, 4]]), np.array([[0, 0, 1, 1]])
    x = [
        layer_norm([token[i][d] + position[t][d] + segment[s][d] for d in range(6)], 1e-12)
        for t, (i, s) in enumerate(zip(ids[0], segments[0], strict=True))
    ]
    p = {"token": token, "position": position, "segment": segment}
    p["norm"] = {"gamma": np.ones(6), "beta": np.zeros(6)}
    out, _ = embeddings(ids, segments, np.arange(4), p, eps=1e-12, rate=0.0, key=None)
    np.testing.assert_allclose(out[0], x, **CLOSE)


def test_8_masked_language_model(rng):
    hidden, table, bias = rng.normal(size=(2, 4, 6)), rng.normal(size=(9, 6)), rng.normal(size=9)
    labels = np.array([[-100, 3, -100, 8], [0, -100, -100, -100]])
    W, b = rng.normal(size=(6, 6)), rng.normal(size=6)
    log_p = []
    for i, t in np.ndindex(2, 4):
        if labels[i, t] == -100:
            continue
        u = [dot(hidden[i, t], W[:, d]) + b[d] for d in range(6)]
        h = layer_norm([v * 0.5 * (1 + math.erf(v / math.sqrt(2))) for v in u], 1e-12)
        p = softmax([dot(h, table[w]) + bias[w] for w in range(9)])
        log_p.append(math.log(p[labels[i, t]]))
    params = {"dense": {"weight": W, "bias": b}, "norm": {"gamma": np.ones(6), "beta": np.zeros(6)}, "bias": bias}
    mean, _ = masked_lm_loss(hidden, labels, table, params, "gelu", 1e-12, None)
    summed, _ = masked_lm_loss(hidden, labels, table, params, "gelu", 1e-12, 1)
    np.testing.assert_allclose(mean.loss, -sum(log_p) / len(log_p), **CLOSE)  # -(1/|M|) sum over M
    np.testing.assert_allclose(summed.loss, -sum(log_p), **CLOSE)  # -sum over t of 1{t in M} log p


def next_sentence_case(rng):
    hidden, y = rng.normal(size=(3, 4, 6)), np.array([1, 0, 1])  # y: 1 = consecutive, as in the formula
    W, b, V, c = rng.normal(size=(6, 6)), rng.normal(size=6), rng.normal(size=(6, 2)), rng.normal(size=2)
    total = 0.0
    for i in range(3):
        pooled = [math.tanh(dot(hidden[i, 0], W[:, d]) + b[d]) for d in range(6)]
        p = softmax([dot(pooled, V[:, k]) + c[k] for k in range(2)])
        total -= math.log(p[1 - y[i]])  # column 0 of the released head means "is next"
    return total, (hidden, 1 - y, {"weight": W, "bias": b}, {"weight": V, "bias": c})


def test_9_next_sentence_prediction(rng):
    total, args = next_sentence_case(rng)
    np.testing.assert_allclose(next_sentence_loss(*args, None)[0].loss, total / 3, **CLOSE)
    np.testing.assert_allclose(next_sentence_loss(*args, 1)[0].loss, total, **CLOSE)


def test_11_causal_language_model(rng):
    """The logits at t predict token t + 1; the first token has nothing to its left but a start symbol."""
    start_and_words, logits = np.array([0, 5, 2, 7]), rng.normal(size=(3, 8))
    loss = 0.0
    for t in range(1, 4):
        loss -= math.log(softmax(logits[t - 1])[start_and_words[t]])
    np.testing.assert_allclose(ops.cross_entropy(logits, start_and_words[1:], 1)[0], loss, **CLOSE)
    np.testing.assert_allclose(ops.cross_entropy(logits, start_and_words[1:])[0], loss / 3, **CLOSE)


def test_11_causal_language_model_from_hidden_states(rng):
    """The block shifts the labels itself, leaves out -100, and has the token table as its decoder."""
    hidden, table, words = rng.normal(size=(2, 4, 6)), rng.normal(size=(8, 6)), rng.integers(0, 8, (2, 4))
    words[1, 2] = -100
    log_p = []
    for i in range(2):
        for t in range(1, 4):
            if words[i, t] != -100:
                p = softmax([dot(hidden[i, t - 1], table[w]) for w in range(8)])
                log_p.append(math.log(p[words[i, t]]))
    assert len(log_p) == 5
    np.testing.assert_allclose(causal_lm_loss(hidden, words, table, 1)[0].loss, -sum(log_p), **CLOSE)
    mean, _ = causal_lm_loss(hidden, words, table, None)
    np.testing.assert_allclose(mean.loss, -sum(log_p) / 5, **CLOSE)
    assert mean.count == 5


def test_10_bert_adds_the_two_losses(rng):
    config = BertConfig(vocab_size=9, hidden_size=6, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8)
    model = BertForPreTraining(config, dtype="float64")
    batch = {"input_ids": rng.integers(0, 9, (2, 5))}
    labels = {"labels": rng.integers(0, 9, (2, 5)), "next_sentence_label": [0, 1]}
    apart = [model.loss_and_grads(**batch, **{name: value})[0] for name, value in labels.items()]
    both, _ = model.loss_and_grads(**batch, **labels)
    assert both == apart[0] + apart[1]
