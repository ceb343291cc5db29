"""BERT (Devlin et al. 2018, arXiv:1810.04805): bidirectional encoder, masked tokens, next sentences.

Where the paper and its released checkpoints differ we compute what the checkpoints compute:
post-norm layers with eps 1e-12, GELU in the form that `hidden_act` names, a decoder tied to the
token table with a bias of its own.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from minibert.blocks.embeddings import EmbeddingsCache, embeddings, embeddings_backward
from minibert.blocks.encoder import EncoderLayerCache, encoder_layer, encoder_layer_backward
from minibert.blocks.feed_forward import TANH_FORM
from minibert.blocks.heads import pooler
from minibert.blocks.stack import LayerSettings, stack, stack_backward
from minibert.blocks.token_vectors import known_ids
from minibert.errors import DataError
from minibert.models.base import Model
from minibert.models.bert_names import TWINS, canonical, name_table
from minibert.models.config import MOST_LAYERS, TIED, weights_of
from minibert.models.initialise import embedding_table, linear_params, norm_params, truncated_normal
from minibert.models.inputs import check_ids, visible_keys
from minibert.models.label_config import LabelConfig
from minibert.models.names import Loaded, NameTable, from_hf, renamed
from minibert.models.outputs import EncoderOutput
from minibert.models.own_head import OwnHead
from minibert.models.safetensors_file import Stored
from minibert.ops import fold_in
from minibert.tree import Tree


@dataclass
class BertConfig(LabelConfig):
    """Field names and defaults of Hugging Face's `BertConfig` (the defaults are BERT-base)."""

    model_type: ClassVar[str] = "bert"
    fixed: ClassVar[dict[str, Any]] = {"position_embedding_type": "absolute", "is_decoder": False, **TIED}
    sizes: ClassVar[dict[str, dict[str, int]]] = {
        name: {
            "num_hidden_layers": layers,
            "hidden_size": width,
            "num_attention_heads": width // 64,
            "intermediate_size": 4 * width,
        }
        for name, layers, width in [
            ("bert-tiny", 2, 128),
            ("bert-mini", 4, 256),
            ("bert-small", 4, 512),
            ("bert-medium", 8, 512),
            ("bert-base", 12, 768),
        ]
    }

    vocab_size: int = 30522
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    hidden_act: str = "gelu"
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    initializer_range: float = 0.02
    layer_norm_eps: float = 1e-12
    pad_token_id: int | None = 0
    classifier_dropout: float | None = field(default=None, kw_only=True)  # None: hidden_dropout_prob

    def validate(self) -> None:
        """Raise `ConfigError` if a value, or a combination of values, cannot work."""
        self._check_positive("vocab_size", "hidden_size", "num_attention_heads", "intermediate_size")
        self._check_positive("max_position_embeddings", "type_vocab_size")
        self._check_positive("num_hidden_layers", most=MOST_LAYERS)
        self._check_probability("hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout")
        self._check_heads("num_attention_heads", "hidden_size")
        self._check_choice("hidden_act", TANH_FORM)
        self._check_scale("layer_norm_eps", "initializer_range")
        self._check_token_ids("pad_token_id", most=self.vocab_size - 1)

    def weight_count(self) -> int:
        """Return how many numbers the tables and the weights of the layers hold: nearly all that a model has."""
        rows = self.vocab_size + self.max_position_embeddings + self.type_vocab_size
        return weights_of(rows, self.hidden_size, self.intermediate_size, self.num_hidden_layers)

    @property
    def max_length(self) -> int:
        """The number of tokens that have a position."""
        return self.max_position_embeddings

    @property
    def head_act(self) -> str:
        """The activation of the masked-token head."""
        return self.hidden_act

    def layer_settings(self) -> LayerSettings:
        """Return what an encoder layer needs to know."""
        return LayerSettings(
            self.num_attention_heads,
            self.hidden_act,
            self.layer_norm_eps,
            self.hidden_dropout_prob,
            self.attention_probs_dropout_prob,
        )


class BertInput(NamedTuple):
    """A checked batch."""

    input_ids: np.ndarray  # (B, T)
    token_type_ids: np.ndarray  # (B, T)
    position_ids: np.ndarray  # (T,) or (B, T)
    bias: np.ndarray | None  # (B, 1, 1, T) boolean: which keys may be seen


class BertCache(NamedTuple):
    embeddings: EmbeddingsCache
    encoder: list[EncoderLayerCache]


def bert(inputs: BertInput, p: Tree, config: BertConfig, key: int | None) -> tuple[list[np.ndarray], BertCache]:
    """embeddings, then num_hidden_layers encoder layers.

    inputs, p {embeddings, encoder}  ->  hidden states (L + 1 arrays (B, T, D)), cache.
    """
    ids, segments, positions, bias = inputs
    eps, rate = config.layer_norm_eps, config.hidden_dropout_prob
    x, embeddings_cache = embeddings(ids, segments, positions, p["embeddings"], eps, rate, fold_in(key, 0))
    hidden, encoder_cache = stack(encoder_layer, x, p["encoder"], config.layer_settings(), bias, fold_in(key, 1))
    return hidden, BertCache(embeddings_cache, encoder_cache)


def bert_backward(dhidden: np.ndarray, cache: BertCache, dtoken: np.ndarray | None = None) -> Tree:
    """dhidden (B, T, D), of the last hidden state  ->  gradients of p.

    `dtoken` (V, D) is what the token table received elsewhere, as a tied decoder: it is added to in place.
    """
    dx, dencoder = stack_backward(encoder_layer_backward, dhidden, cache.encoder)
    return {"embeddings": embeddings_backward(dx, cache.embeddings, dtoken), "encoder": dencoder}


class BertModel(OwnHead, Model):
    """BERT without a head: the last hidden state and the pooled [CLS] vector.

    The classes with heads share all of this. They differ in which heads their parameters hold:
    `mlm_head`, or `pooler` and `nsp_head`, or all three.
    """

    config_class = BertConfig
    body, body_backward = staticmethod(bert), staticmethod(bert_backward)
    parts: ClassVar[tuple[str, ...]] = ("pooler",)
    tied: ClassVar[dict[str, str]] = TWINS
    draw: ClassVar[Callable] = staticmethod(truncated_normal)  # the distribution of initial weights

    def init_params(self, rng: np.random.Generator | None) -> Tree:
        """Return random initial parameters: see `minibert.models.initialise`.

        All heads are drawn, also those that this class has not: from one seed all classes get the same body.
        """
        c = self.config
        D, F, std, make = c.hidden_size, c.intermediate_size, c.initializer_range, (rng, self.dtype, self.draw)
        layers = {
            str(i): {
                "attention": {"qkv": linear_params(D, 3 * D, std, *make), "output": linear_params(D, D, std, *make)},
                "attention_norm": norm_params(D, self.dtype),
                "feed_forward": {"up": linear_params(D, F, std, *make), "down": linear_params(F, D, std, *make)},
                "feed_forward_norm": norm_params(D, self.dtype),
            }
            for i in range(c.num_hidden_layers)
        }
        tables = {
            "token": embedding_table(c.vocab_size, D, std, *make),
            "position": embedding_table(c.max_position_embeddings, D, std, *make),
            "segment": embedding_table(c.type_vocab_size, D, std, *make),
        }
        heads = {
            "pooler": linear_params(D, D, std, *make),
            "mlm_head": {
                "dense": linear_params(D, D, std, *make),
                "norm": norm_params(D, self.dtype),
                "bias": np.zeros(c.vocab_size, self.dtype),
            },
            "nsp_head": linear_params(D, 2, std, *make),
        }
        body = {"embeddings": {**tables, "norm": norm_params(D, self.dtype)}, "encoder": {"layers": layers}}
        return {**body, **{part: heads[part] for part in self.parts}}

    def check(
        self, input_ids: ArrayLike, attention_mask: ArrayLike | None = None, token_type_ids: ArrayLike | None = None
    ) -> BertInput:
        """Return the checked batch: ids, segments (default 0), positions, mask. Raises `DataError`."""
        c = self.config
        ids = check_ids("input_ids", input_ids, known_ids(self.params["embeddings"]))  # virtual tokens have ids too
        T = ids.shape[1]
        if T > c.max_length:
            raise DataError(
                f"the input has {T} tokens, but the model has positions for {c.max_length} "
                "(max_position_embeddings): cut the input"
            )
        segments = np.zeros_like(ids) if token_type_ids is None else token_type_ids
        segments = check_ids("token_type_ids", segments, c.type_vocab_size, ids.shape)
        return BertInput(ids, segments, self.positions(ids), visible_keys(attention_mask, ids.shape))

    def positions(self, ids: np.ndarray) -> np.ndarray:
        """ids (B, T)  ->  the row of the position table that each token gets: (T,), the same for all sequences."""
        return np.arange(ids.shape[1])

    def __call__(
        self,
        input_ids: ArrayLike,
        attention_mask: ArrayLike | None = None,
        token_type_ids: ArrayLike | None = None,
        output_hidden_states: bool = False,
        output_attentions: bool = False,
    ) -> EncoderOutput:
        """Return last_hidden_state (B, T, D) and pooler_output (B, D), without dropout.

        Parameters
        ----------
        input_ids : (B, T) integers
        attention_mask : (B, T), optional
            1 where there is a token, 0 where there is padding.
        token_type_ids : (B, T), optional
            0 in the first sentence, 1 in the second.
        output_hidden_states, output_attentions : bool
            Also return the output of every layer (L + 1 arrays (B, T, D)), and the attention
            probabilities (L arrays (B, H, T, T)).
        """
        inputs = self.check(input_ids, attention_mask, token_type_ids)
        hidden, more = self._encode(inputs, output_hidden_states, output_attentions)
        pooled, _ = pooler(hidden[:, 0], self.params["pooler"])
        return EncoderOutput(hidden, pooled, **more)

    def _encode(
        self, inputs: BertInput, output_hidden_states: bool, output_attentions: bool
    ) -> tuple[np.ndarray, dict[str, tuple[np.ndarray, ...]]]:
        hidden, cache = bert(inputs, self.params, self.config, key=None)
        more = {}
        if output_hidden_states:
            more["hidden_states"] = tuple(hidden)
        if output_attentions:
            more["attentions"] = tuple(layer.attention.core.probs for layer in cache.encoder)
        return hidden[-1], more

    def name_table(self) -> NameTable:
        """Return the checkpoint's names of our parameters; without a head they have no prefix `bert.`."""
        table = name_table(self.config.num_hidden_layers)
        if self.parts == BertModel.parts:
            table = {ours: tuple(name.removeprefix("bert.") for name in theirs) for ours, theirs in table.items()}
        return table

    def find(self, tensors: dict[str, Stored]) -> Loaded:
        """Find our parameters among a checkpoint's tensors, whichever class or release wrote it."""
        table = name_table(self.config.num_hidden_layers)
        return from_hf(renamed(tensors, canonical), table, self.params, tied=self.tied)
