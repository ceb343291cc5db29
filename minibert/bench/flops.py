"""What a training step must compute, counted by hand: the same number for every side, however it computes.

Only matrix products count, a multiplication and an addition each; a layer's product x W has a forward and two
backward products of the same size, x W, dy W^T and x^T dy. What a side computes twice to save memory counts once.
"""

from minibert.bench.sizes import Sizes
from minibert.models.bert import BertConfig
from minibert.models.gpt2 import GPT2Config
from minibert.work import attention_product, product


def products(rows: int, n_in: int, n_out: int) -> int:
    """Forward and backward of a linear layer: 6 rows n_in n_out."""
    return 3 * product(rows, n_in, n_out)


def attention(B: int, H: int, T: int, K: int, causal: bool = False) -> int:
    """Forward 2 products (scores, output), backward 4 (dv, dprobs, dq, dk): see `attention_product`."""
    return 6 * attention_product(B, H, T, T, K, causal)


def training_step(config: BertConfig, B: int, T: int, masked: int) -> int:
    """A step of BERT's pre-training on B sequences of T tokens, `masked` of the B T tokens to be predicted.

    layers       6 B T (4 D^2 + 2 D F) each: query, key, value, output; feed-forward up and down
    attention    12 B T^2 D each
    masked head  6 masked (D^2 + D V): the transform and the vocabulary, at masked positions only
    pair head    6 B (D^2 + 2 D): the pooler and the two classes

    Look-ups, normalisation, softmax, GELU, dropout and the optimizer are not counted.
    """
    D, F, V, H = config.hidden_size, config.intermediate_size, config.vocab_size, config.num_attention_heads
    layer = products(B * T, D, 4 * D) + products(B * T, D, 2 * F) + attention(B, H, T, D // H)
    heads = products(masked, D, D + V) + products(B, D, D + 2)
    return config.num_hidden_layers * layer + heads


def causal_training_step(config: GPT2Config, B: int, T: int) -> int:
    """A step of GPT-2 on B sequences of T tokens, of which all but the first are predicted.

    layers     6 B T (4 D^2 + 2 D F) each, as BERT's
    attention  half of BERT's: what a query must not see need not be computed
    head       6 B (T - 1) D V
    """
    D, F, V, H = config.n_embd, config.inner_width, config.vocab_size, config.n_head
    layer = products(B * T, D, 4 * D) + products(B * T, D, 2 * F) + attention(B, H, T, D // H, causal=True)
    return config.n_layer * layer + products(B * (T - 1), D, V)


def step(sizes: Sizes) -> int:
    """Return what a step of these sizes must compute."""
    config, B, T = sizes.config(), sizes.batch_size, sizes.seq_len
    return causal_training_step(config, B, T) if sizes.causal else training_step(config, B, T, sizes.predicted)
