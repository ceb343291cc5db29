"""A token a character: for small models of small texts, where nothing about the text should be hidden."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from minibert.errors import DataError
from minibert.tokenizers.backends import is_characters
from minibert.tokenizers.base import PretrainedTokenizer
from minibert.tokenizers.roberta import RobertaTokenizer

if TYPE_CHECKING:
    from tokenizers import Tokenizer


class CharTokenizer(PretrainedTokenizer):
    """Characters, `<unk>` for those outside the vocabulary; see `PretrainedTokenizer` for its methods.

    A vocabulary with RoBERTa's special tokens too serves masked language models: they frame the text as there.
    """

    tokenizer_class = "PreTrainedTokenizerFast"  # Hugging Face's class for a tokenizer.json of any kind
    default_tokens: ClassVar = {"unk_token": "<unk>"}

    def __init__(self, backend: Tokenizer, **options: Any) -> None:
        self.check_kind(backend)
        masked = RobertaTokenizer.default_tokens
        roles = {role: token for role, token in masked.items() if backend.token_to_id(token) is not None}
        super().__init__(backend, **roles | options)

    @classmethod
    def check_kind(cls, backend: Tokenizer) -> None:
        """Refuse anything but characters."""
        if not is_characters(backend):
            raise DataError(
                f"a {type(backend.model).__name__} tokenizer, but {cls.__name__} takes single characters only"
            )

    @property
    def separator_id(self) -> int | None:
        """The id of the line feed, or of `</s>` where there is one."""
        return self.backend_tokenizer.token_to_id("\n") if self.sep_token is None else self.sep_token_id

    def vocabulary_files(self) -> dict[str, str]:
        """Return nothing: `tokenizer.json` is all."""
        return {}

    def own_settings(self) -> dict[str, Any]:
        """Return nothing."""
        return {}
