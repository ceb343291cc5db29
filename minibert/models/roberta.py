"""RoBERTa (Liu et al. 2019, arXiv:1907.11692): BERT, pre-trained longer, on masked tokens alone.

The architecture is BERT's. What differs in the released checkpoints stands in this file: positions that
begin behind the padding's, byte-level vocabulary, one segment, eps 1e-5, a head that is always the erf form of
GELU, and the names of the parameters. Padding must be `pad_token_id`, and hidden by the attention mask.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from minibert.errors import ConfigError
from minibert.models.bert import BertConfig, BertModel
from minibert.models.bert_heads import BertForMaskedLM
from minibert.models.bert_names import canonical, name_table
from minibert.models.initialise import normal
from minibert.models.names import Loaded, NameTable, from_hf, renamed
from minibert.models.safetensors_file import Stored
from minibert.tree import Tree

HEAD = {
    "mlm_head.dense.weight": "lm_head.dense.weight",
    "mlm_head.dense.bias": "lm_head.dense.bias",
    "mlm_head.norm.gamma": "lm_head.layer_norm.weight",
    "mlm_head.norm.beta": "lm_head.layer_norm.bias",
    "mlm_head.bias": "lm_head.bias",
}
TWINS = {  # second names of tied tensors
    "lm_head.decoder.weight": "roberta.embeddings.word_embeddings.weight",
    "lm_head.decoder.bias": "lm_head.bias",
}


@dataclass
class RobertaConfig(BertConfig):
    """Field names and defaults of Hugging Face's `RobertaConfig`.

    Those defaults are not the released model: its eps, positions and segments are in `sizes`.
    """

    model_type: ClassVar[str] = "roberta"
    sizes: ClassVar[dict[str, dict[str, Any]]] = {
        name: {
            "num_hidden_layers": layers,
            "hidden_size": width,
            "num_attention_heads": width // 64,
            "intermediate_size": 4 * width,
            "max_position_embeddings": 514,
            "type_vocab_size": 1,
            "layer_norm_eps": 1e-5,
        }
        for name, layers, width in [
            ("roberta-tiny", 2, 128),
            ("roberta-mini", 4, 256),
            ("roberta-base", 12, 768),
            ("roberta-large", 24, 1024),
        ]
    }

    vocab_size: int = 50265
    pad_token_id: int = 1
    bos_token_id: int | None = 0
    eos_token_id: int | None = 2

    def validate(self) -> None:
        """Raise `ConfigError` if a value, or a combination of values, cannot work."""
        super().validate()
        self._check_token_ids("bos_token_id", "eos_token_id")
        rows = min(self.vocab_size, self.max_position_embeddings - 1)  # behind the padding's position comes the first
        if not 0 <= self.pad_token_id < rows:
            raise ConfigError(
                f"pad_token_id must be within 0..{rows - 1}, a row of both tables, but is {self.pad_token_id}"
            )

    @property
    def max_length(self) -> int:
        """The number of tokens that have a position: the first rows of the table, up to the padding's, serve none."""
        return self.max_position_embeddings - self.pad_token_id - 1

    @property
    def head_act(self) -> str:
        """The activation of the masked-token head, whatever `hidden_act` says."""
        return "gelu"


class _Roberta(BertModel):
    """What RoBERTa changes in each of BERT's classes."""

    config_class = RobertaConfig
    draw = staticmethod(normal)
    tied = TWINS

    def init_params(self, rng: np.random.Generator | None) -> Tree:
        """Return random initial parameters, and zeros as the vectors of the padding."""
        params = super().init_params(rng)
        for name in ("token", "position"):
            params["embeddings"][name][self.config.pad_token_id] = 0
        return params

    def positions(self, ids: np.ndarray) -> np.ndarray:
        """ids (B, T)  ->  rows of the position table: pad + 1, pad + 2, ... for tokens, pad for padding.

        (T,) if there is no padding, (B, T) otherwise.
        """
        pad, tokens = self.config.pad_token_id, ids != self.config.pad_token_id
        if tokens.all():
            return np.arange(pad + 1, pad + 1 + ids.shape[1])
        return np.cumsum(tokens, axis=1) * tokens + pad

    def name_table(self) -> NameTable:
        """Return the checkpoint's names of our parameters; without a head they have no prefix `roberta.`."""
        prefix = "" if self.parts == BertModel.parts else "roberta."
        return _name_table(self.config.num_hidden_layers, prefix)

    def find(self, tensors: dict[str, Stored]) -> Loaded:
        """Find our parameters among a checkpoint's tensors, whichever class or release wrote it."""
        table = _name_table(self.config.num_hidden_layers, "roberta.")
        tensors = renamed(tensors, lambda name: canonical(name, "roberta."))
        return from_hf(tensors, table, self.params, tied=self.tied)


def _name_table(layers: int, prefix: str) -> NameTable:
    """BERT's names with another prefix, and the head's own."""
    body = {
        ours: tuple(prefix + name.removeprefix("bert.") for name in theirs)
        for ours, theirs in name_table(layers).items()
        if theirs[0].startswith("bert.")
    }
    return {**body, **{ours: (theirs,) for ours, theirs in HEAD.items()}}


class RobertaModel(_Roberta):
    """RoBERTa without a head: the last hidden state and the pooled vector of <s>, which pre-training leaves random."""


class RobertaForMaskedLM(_Roberta, BertForMaskedLM):
    """RoBERTa with the masked-token head; its loss is L_MLM (see `minibert.blocks.losses`)."""
