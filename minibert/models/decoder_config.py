"""The fields that the configurations of GPT and GPT-2 share."""

from dataclasses import dataclass
from typing import Any, ClassVar

from minibert.blocks.stack import LayerSettings
from minibert.models.config import MOST_LAYERS, TIED, weights_of
from minibert.models.label_config import LabelConfig


@dataclass
class DecoderConfig(LabelConfig):
    """Names as in Hugging Face's `config.json`; the defaults here are GPT-2's."""

    fixed: ClassVar[dict[str, Any]] = TIED

    vocab_size: int = 50257
    n_positions: int = 1024
    n_embd: int = 768
    n_layer: int = 12
    n_head: int = 12
    resid_pdrop: float = 0.1
    embd_pdrop: float = 0.1
    attn_pdrop: float = 0.1
    layer_norm_epsilon: float = 1e-5
    initializer_range: float = 0.02

    def validate(self) -> None:
        """Raise `ConfigError` if a value, or a combination of values, cannot work."""
        self._check_positive("vocab_size", "n_positions", "n_embd", "n_head")
        self._check_positive("n_layer", most=MOST_LAYERS)
        self._check_probability("resid_pdrop", "embd_pdrop", "attn_pdrop")
        self._check_heads("n_head", "n_embd")
        self._check_scale("layer_norm_epsilon", "initializer_range")

    def weight_count(self) -> int:
        """Return how many numbers the tables and the weights of the layers hold: nearly all that a model has."""
        return weights_of(self.vocab_size + self.n_positions, self.n_embd, self.inner_width, self.n_layer)

    @property
    def hidden_size(self) -> int:
        """D, by the name that encoders have for it."""
        return self.n_embd

    @property
    def max_length(self) -> int:
        """The number of tokens that have a position."""
        return self.n_positions

    @property
    def activation(self) -> str:
        """The activation of the feed-forward network, a key of `TANH_FORM`."""
        return "gelu_new"

    @property
    def inner_width(self) -> int:
        """F, the width of the feed-forward network."""
        return 4 * self.n_embd

    @property
    def residual_std(self) -> float:
        """The standard deviation of the initial weights whose product is added to the residual stream."""
        return self.initializer_range

    def layer_settings(self) -> LayerSettings:
        """Return what a layer needs to know."""
        eps, rates = self.layer_norm_epsilon, (self.resid_pdrop, self.attn_pdrop)
        return LayerSettings(self.n_head, self.activation, eps, *rates, causal=True)
