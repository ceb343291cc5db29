"""GPT (Radford et al. 2018, "Improving language understanding by generative pre-training"): a causal decoder.

It is GPT-2 with the post-norm layers of the original Transformer, which BERT has too, and no normalisation
after the last. Its checkpoints say `afn` "gelu" and mean the tanh form.
"""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from minibert.blocks.decoder_embeddings import DecoderEmbeddingsCache, decoder_embeddings, decoder_embeddings_backward
from minibert.blocks.encoder import EncoderLayerCache, encoder_layer, encoder_layer_backward
from minibert.blocks.past import KeyValueCache
from minibert.blocks.stack import stack, stack_backward
from minibert.errors import ConfigError
from minibert.fields import short
from minibert.models.causal_lm import CausalLM
from minibert.models.decoder import DecoderInput, DecoderModel
from minibert.models.decoder_config import DecoderConfig
from minibert.models.gpt_names import GPT
from minibert.ops import fold_in
from minibert.tree import Tree


@dataclass
class OpenAIGPTConfig(DecoderConfig):
    """Field names and defaults of Hugging Face's `OpenAIGPTConfig` (the defaults are the released model)."""

    model_type: ClassVar[str] = "openai-gpt"
    sizes: ClassVar[dict[str, dict[str, int]]] = {"openai-gpt": {"n_layer": 12, "n_head": 12, "n_embd": 768}}

    vocab_size: int = 40478
    n_positions: int = 512
    afn: str = "gelu"

    def validate(self) -> None:
        """Raise `ConfigError` if a value, or a combination of values, cannot work."""
        super().validate()
        if self.afn != "gelu":
            raise ConfigError(f"afn must be 'gelu', which in GPT means the tanh form, but is {short(self.afn)}")


class GPTCache(NamedTuple):
    embeddings: DecoderEmbeddingsCache
    layers: list[EncoderLayerCache]


def gpt(
    inputs: DecoderInput, p: Tree, config: OpenAIGPTConfig, key: int | None, past: KeyValueCache | None = None
) -> tuple[list[np.ndarray], GPTCache]:
    """embeddings, then n_layer post-norm layers.

    inputs, p {embeddings, decoder}  ->  hidden states (L + 1 arrays (B, T, D)), cache.
    """
    ids, positions, bias = inputs
    x, embeddings_cache = decoder_embeddings(ids, positions, p["embeddings"], config.embd_pdrop, fold_in(key, 0))
    hidden, layers = stack(encoder_layer, x, p["decoder"], config.layer_settings(), bias, fold_in(key, 1), past)
    return hidden, GPTCache(embeddings_cache, layers)


def gpt_backward(dhidden: np.ndarray, cache: GPTCache, dtoken: np.ndarray | None = None) -> Tree:
    """dhidden (B, T, D), of the last hidden state  ->  gradients of p; `dtoken` as in `gpt2_backward`."""
    dx, ddecoder = stack_backward(encoder_layer_backward, dhidden, cache.layers)
    return {"embeddings": decoder_embeddings_backward(dx, cache.embeddings, dtoken), "decoder": ddecoder}


class OpenAIGPTModel(DecoderModel):
    """GPT without a head: the last hidden state."""

    config_class = OpenAIGPTConfig
    outside = GPT
    body, body_backward = staticmethod(gpt), staticmethod(gpt_backward)


class OpenAIGPTLMHeadModel(CausalLM, OpenAIGPTModel):
    """GPT as a language model; its loss is L_CLM (see `minibert.blocks.causal_loss`)."""
