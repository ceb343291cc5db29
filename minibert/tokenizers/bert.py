"""BERT's tokenizer: WordPiece, `[CLS] A [SEP]` and `[CLS] A [SEP] B [SEP]` (Devlin et al. 2018)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from minibert.errors import DataError
from minibert.tokenizers.backends import is_wordpiece
from minibert.tokenizers.base import PretrainedTokenizer
from minibert.tokenizers.saving import vocab_txt

if TYPE_CHECKING:
    from tokenizers import Tokenizer


class BertTokenizer(PretrainedTokenizer):
    """WordPiece, cased or uncased; see `PretrainedTokenizer` for its methods."""

    tokenizer_class = "BertTokenizer"
    default_tokens: ClassVar = {
        "pad_token": "[PAD]",
        "unk_token": "[UNK]",
        "cls_token": "[CLS]",
        "sep_token": "[SEP]",
        "mask_token": "[MASK]",
    }
    model_input_names = ("input_ids", "token_type_ids", "attention_mask")
    lossless = False

    @classmethod
    def check_kind(cls, backend: Tokenizer) -> None:
        """Refuse anything but WordPiece."""
        if not is_wordpiece(backend):
            raise DataError(f"a {type(backend.model).__name__} tokenizer, but {cls.__name__} takes WordPiece only")

    def vocabulary_files(self) -> dict[str, str]:
        """Return `vocab.txt`."""
        return {"vocab.txt": vocab_txt(self.backend_tokenizer)}

    def own_settings(self) -> dict[str, Any]:
        """Return how the text is normalised, from which Hugging Face's class builds its normaliser."""
        normalizer = self.backend_tokenizer.normalizer
        return {
            "do_lower_case": normalizer is not None and normalizer.normalize_str("A") == "a",
            "strip_accents": getattr(normalizer, "strip_accents", None),
            "tokenize_chinese_chars": getattr(normalizer, "handle_chinese_chars", True),
        }
