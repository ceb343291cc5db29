"""GPT-2 (Radford et al. 2019, "Language models are unsupervised multitask learners"): a pre-norm causal decoder.

Computed as the released checkpoints do: GELU in its tanh form, a normalisation after the last layer, a head
tied to the token table without a bias. The paper scales the initial weights that add to the residual
stream by 1 / sqrt(N), N being the number of residual layers, two for each Transformer layer.
"""

import math
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from minibert.blocks.decoder import DecoderLayerCache, decoder_layer, decoder_layer_backward
from minibert.blocks.decoder_embeddings import DecoderEmbeddingsCache, decoder_embeddings, decoder_embeddings_backward
from minibert.blocks.feed_forward import TANH_FORM
from minibert.blocks.past import KeyValueCache
from minibert.blocks.stack import stack, stack_backward
from minibert.models.causal_lm import CausalLM
from minibert.models.decoder import DecoderInput, DecoderModel
from minibert.models.decoder_config import DecoderConfig
from minibert.models.gpt_names import GPT2
from minibert.models.initialise import norm_params
from minibert.ops import fold_in, layer_norm, layer_norm_backward
from minibert.ops.norm import LayerNormCache
from minibert.tree import Tree


@dataclass
class GPT2Config(DecoderConfig):
    """Field names and defaults of Hugging Face's `GPT2Config` (the defaults are the smallest released model)."""

    model_type: ClassVar[str] = "gpt2"
    fixed: ClassVar[dict[str, Any]] = {
        **DecoderConfig.fixed,
        "scale_attn_weights": True,
        "scale_attn_by_inverse_layer_idx": False,
        "add_cross_attention": False,
    }
    sizes: ClassVar[dict[str, dict[str, int]]] = {
        name: {"n_layer": layers, "n_head": heads, "n_embd": width}
        for name, layers, heads, width in [
            ("gpt2-nano", 4, 4, 128),
            ("gpt2-micro", 4, 4, 256),
            ("gpt2", 12, 12, 768),
            ("gpt2-medium", 24, 16, 1024),
            ("gpt2-large", 36, 20, 1280),
            ("gpt2-xl", 48, 25, 1600),
        ]
    }

    n_inner: int | None = None
    activation_function: str = "gelu_new"
    bos_token_id: int | None = 50256
    eos_token_id: int | None = 50256
    pad_token_id: int | None = None

    def validate(self) -> None:
        """Raise `ConfigError` if a value, or a combination of values, cannot work."""
        super().validate()
        if self.n_inner is not None:
            self._check_positive("n_inner")
        self._check_choice("activation_function", TANH_FORM)
        self._check_token_ids("bos_token_id", "eos_token_id", "pad_token_id")  # small models keep 50256

    @property
    def activation(self) -> str:
        """The activation of the feed-forward network, a key of `TANH_FORM`."""
        return self.activation_function

    @property
    def inner_width(self) -> int:
        """F, the width of the feed-forward network: 4 D if the configuration does not say."""
        return super().inner_width if self.n_inner is None else self.n_inner

    @property
    def residual_std(self) -> float:
        """initializer_range / sqrt(2 L), so that the sum of the 2 L residual layers does not grow with L."""
        return self.initializer_range / math.sqrt(2 * self.n_layer)


class GPT2Cache(NamedTuple):
    embeddings: DecoderEmbeddingsCache
    layers: list[DecoderLayerCache]
    norm: LayerNormCache


def gpt2(
    inputs: DecoderInput, p: Tree, config: GPT2Config, key: int | None, past: KeyValueCache | None = None
) -> tuple[list[np.ndarray], GPT2Cache]:
    """embeddings, then n_layer pre-norm layers, then a normalisation.

    inputs, p {embeddings, decoder, final_norm}  ->  hidden states (L + 1 arrays (B, T, D), the last
    one normalised), cache.
    """
    ids, positions, bias = inputs
    x, embeddings_cache = decoder_embeddings(ids, positions, p["embeddings"], config.embd_pdrop, fold_in(key, 0))
    settings = config.layer_settings()
    hidden, layers = stack(decoder_layer, x, p["decoder"], settings, bias, fold_in(key, 1), past)
    hidden[-1], norm = layer_norm(hidden[-1], **p["final_norm"], eps=config.layer_norm_epsilon)  # (B, T, D)
    return hidden, GPT2Cache(embeddings_cache, layers, norm)


def gpt2_backward(dhidden: np.ndarray, cache: GPT2Cache, dtoken: np.ndarray | None = None) -> Tree:
    """dhidden (B, T, D), of the last hidden state  ->  gradients of p.

    `dtoken` (V, D) is what the token table received elsewhere, as a tied decoder: it is added to in place.
    """
    dx, dgamma, dbeta = layer_norm_backward(dhidden, cache.norm)  # (B, T, D)
    dx, ddecoder = stack_backward(decoder_layer_backward, dx, cache.layers)
    return {
        "embeddings": decoder_embeddings_backward(dx, cache.embeddings, dtoken),
        "decoder": ddecoder,
        "final_norm": {"gamma": dgamma, "beta": dbeta},
    }


class GPT2Model(DecoderModel):
    """GPT-2 without a head: the last hidden state."""

    config_class = GPT2Config
    outside = GPT2
    body, body_backward = staticmethod(gpt2), staticmethod(gpt2_backward)

    def init_params(self, rng: np.random.Generator | None) -> Tree:
        """Return random initial parameters."""
        return {**super().init_params(rng), "final_norm": norm_params(self.config.n_embd, self.dtype)}


class GPT2LMHeadModel(CausalLM, GPT2Model):
    """GPT-2 as a language model; its loss is L_CLM (see `minibert.blocks.causal_loss`)."""

    def read_out(self, hidden: np.ndarray) -> np.ndarray:
        """hidden (B, T, D), of any layer but the last  ->  logits (B, T, V), the last normalisation included.

        The last hidden state is normalised already: its logits are those of a call.
        """
        normed, _ = layer_norm(hidden, **self.params["final_norm"], eps=self.config.layer_norm_epsilon)  # (B, T, D)
        return self._logits(normed)
