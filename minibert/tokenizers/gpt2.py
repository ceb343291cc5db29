"""GPT-2's tokenizer: byte pair encoding of UTF-8 bytes, no special token added (Radford et al. 2019)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from minibert.errors import DataError
from minibert.tokenizers.backends import is_byte_bpe
from minibert.tokenizers.base import PretrainedTokenizer
from minibert.tokenizers.saving import merges_txt, vocab_json

if TYPE_CHECKING:
    from tokenizers import Tokenizer


class GPT2Tokenizer(PretrainedTokenizer):
    """Byte-level BPE; see `PretrainedTokenizer` for its methods.

    `<|endoftext|>` stands between documents. There is no padding token: to pad, set `pad_token`, for instance to
    `eos_token`, and to generate from rows of different lengths pad them on the left.
    """

    tokenizer_class = "GPT2Tokenizer"
    default_tokens = dict.fromkeys(("bos_token", "eos_token", "unk_token"), "<|endoftext|>")

    @classmethod
    def check_kind(cls, backend: Tokenizer) -> None:
        """Refuse anything but byte-level BPE."""
        if not is_byte_bpe(backend):
            raise DataError(f"a {type(backend.model).__name__} tokenizer, but {cls.__name__} takes byte-level BPE only")

    def vocabulary_files(self) -> dict[str, str]:
        """Return `vocab.json` and `merges.txt`."""
        return {"vocab.json": vocab_json(self.backend_tokenizer), "merges.txt": merges_txt(self.backend_tokenizer)}

    def own_settings(self) -> dict[str, Any]:
        """Return whether a space is put before the text, from which Hugging Face's class builds its splitting."""
        splitting = json.loads(self.backend_tokenizer.to_str())["pre_tokenizer"] or {}
        return {"add_prefix_space": bool(splitting.get("add_prefix_space", False))}
