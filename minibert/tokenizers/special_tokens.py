"""The special tokens of a tokenizer by their roles: `pad_token`, `pad_token_id`, `cls_token`, ..."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minibert.errors import DataError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

ROLES = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")


class Token:
    """An attribute that reads and sets the token of a role; None if the tokenizer has no such token."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.role = name

    def __get__(self, tokenizer: SpecialTokens, owner: type | None = None) -> str | None:
        return tokenizer.special_tokens_map.get(self.role)

    def __set__(self, tokenizer: SpecialTokens, token: str | None) -> None:
        if token is None:
            tokenizer.special_tokens_map.pop(self.role, None)
        elif tokenizer.backend_tokenizer.token_to_id(str(token)) is None:
            raise DataError(
                f"{self.role} cannot be {str(token)!r}: that token is not in the vocabulary, choose one of it"
            )
        else:
            tokenizer.special_tokens_map[self.role] = str(token)


class TokenId:
    """The id of the token of a role; setting it sets the token."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.role = name.removesuffix("_id")

    def __get__(self, tokenizer: SpecialTokens, owner: type | None = None) -> int | None:
        token = tokenizer.special_tokens_map.get(self.role)
        return None if token is None else tokenizer.backend_tokenizer.token_to_id(token)

    def __set__(self, tokenizer: SpecialTokens, id: int | None) -> None:
        token = None if id is None else tokenizer.backend_tokenizer.id_to_token(id)
        if token is None and id is not None:
            raise DataError(f"{self.role}_id cannot be {id}: the vocabulary has no such id, choose one of it")
        setattr(tokenizer, self.role, token)


class SpecialTokens:
    """The attributes themselves, over `special_tokens_map`: role -> token."""

    backend_tokenizer: Tokenizer
    special_tokens_map: dict[str, str]

    bos_token, bos_token_id = Token(), TokenId()
    eos_token, eos_token_id = Token(), TokenId()
    unk_token, unk_token_id = Token(), TokenId()
    sep_token, sep_token_id = Token(), TokenId()
    pad_token, pad_token_id = Token(), TokenId()
    cls_token, cls_token_id = Token(), TokenId()
    mask_token, mask_token_id = Token(), TokenId()

    @property
    def all_special_tokens(self) -> list[str]:
        """The special tokens, each once."""
        roles = (self.special_tokens_map.get(role) for role in ROLES)
        return list(dict.fromkeys(token for token in roles if token is not None))

    @property
    def all_special_ids(self) -> list[int]:
        """Their ids, in the same order."""
        return [self.backend_tokenizer.token_to_id(token) for token in self.all_special_tokens]
