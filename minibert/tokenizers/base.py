"""The face that all tokenizers share: call, encode, decode, save and open."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from minibert.errors import ConfigError, DataError
from minibert.tokenizers.batch_encoding import BatchEncoding, as_array, check_tensors
from minibert.tokenizers.decoding import Decoding
from minibert.tokenizers.opening import open_tokenizer
from minibert.tokenizers.panics import explained
from minibert.tokenizers.saving import save
from minibert.tokenizers.shaping import UNLIMITED, Shape, shaped
from minibert.tokenizers.special_tokens import ROLES
from minibert.tokenizers.texts import as_batch, explain_text

if TYPE_CHECKING:
    from tokenizers import Tokenizer

COLUMNS = {
    "input_ids": "ids",
    "token_type_ids": "type_ids",
    "attention_mask": "attention_mask",
    "special_tokens_mask": "special_tokens_mask",
    "offset_mapping": "offsets",
}


class PretrainedTokenizer(Decoding):
    """A tokenizer of the library `tokenizers`, with the methods that users of Hugging Face know.

    Parameters
    ----------
    backend : tokenizers.Tokenizer
        What `train_wordpiece`, `train_byte_bpe` or `train_characters` return, for instance.
    model_max_length : int, optional
        The longest row that the model takes; `truncation=True` without `max_length` truncates to it.
    padding_side, truncation_side : {"right", "left"}
    clean_up_tokenization_spaces : bool
        Whether `decode` removes spaces before punctuation, unless told otherwise.
    **special_tokens : str or None
        Roles (`pad_token`, `mask_token`, ...) played by other tokens than those of the class.

    Raises
    ------
    DataError
        The tokenizer is of another kind, or lacks a special token.
    """

    tokenizer_class: ClassVar[str]  # the name in tokenizer_config.json
    default_tokens: ClassVar[dict[str, str]]  # role -> token
    model_input_names: tuple[str, ...] = ("input_ids", "attention_mask")

    def __init__(
        self,
        backend: Tokenizer,
        *,
        model_max_length: int | None = None,
        padding_side: str = "right",
        truncation_side: str = "right",
        clean_up_tokenization_spaces: bool = False,
        **special_tokens: str | None,
    ) -> None:
        self.check_kind(backend)
        self.backend_tokenizer = backend
        if model_max_length is not None and not model_max_length >= 1:
            raise ConfigError(f"model_max_length is {model_max_length}; it must be at least 1")
        self.model_max_length = UNLIMITED if model_max_length is None else int(min(model_max_length, UNLIMITED))
        self.padding_side, self.truncation_side = padding_side, truncation_side
        for side in (padding_side, truncation_side):
            if side not in ("left", "right"):
                raise ConfigError(f"padding_side and truncation_side must be 'left' or 'right', but one is {side!r}")
        self.clean_up_tokenization_spaces = clean_up_tokenization_spaces
        if unknown := special_tokens.keys() - set(ROLES):
            raise ConfigError(f"unknown option {sorted(unknown)[0]!r} of a tokenizer; roles are {', '.join(ROLES)}")
        self._give_roles(self.default_tokens | special_tokens)

    @classmethod
    def check_kind(cls, backend: Tokenizer) -> None:
        """Refuse a backend of another kind with a `DataError`."""
        raise NotImplementedError

    def vocabulary_files(self) -> dict[str, str]:
        """Return the vocabulary files of this kind: name -> content."""
        raise NotImplementedError

    def own_settings(self) -> dict[str, Any]:
        """Return what `tokenizer_config.json` holds of this kind only."""
        raise NotImplementedError

    def _give_roles(self, tokens: dict[str, str | None]) -> None:
        tokens = {role: token for role, token in tokens.items() if token is not None}
        for role, token in tokens.items():
            if not isinstance(token, str):
                raise DataError(f"{role} is a {type(token).__name__}, not a str: give the token itself")
        missing = [
            token if token.isprintable() else repr(token)
            for token in dict.fromkeys(tokens.values())
            if self.backend_tokenizer.token_to_id(token) is None
        ]
        if missing:
            raise DataError(
                f"the tokenizer lacks {' '.join(missing)}, which {type(self).__name__} needs: use a vocabulary "
                "that has them, or name the tokens that play their roles"
            )
        self.special_tokens_map = tokens
        known = {str(token) for token in self.backend_tokenizer.get_added_tokens_decoder().values()}
        self.backend_tokenizer.add_special_tokens([t for t in self.all_special_tokens if t not in known])

    @classmethod
    def from_pretrained(cls, path: str | Path, **options: Any) -> PretrainedTokenizer:
        """Open a folder (a checkpoint of Hugging Face's too), a `tokenizer.json`, or the vocabulary file.

        `options` are those of the class, and go before what `tokenizer_config.json` says.

        Raises
        ------
        DataError
            A file is missing, damaged, of another kind of tokenizer, or a special token is missing.
        """
        return open_tokenizer(lambda backend: cls, path, options)

    def save_pretrained(self, folder: str | Path) -> None:
        """Write the files of a checkpoint folder, which Hugging Face's tokenizers open too."""
        save(self, Path(folder))

    def __call__(
        self,
        text: str | list,
        text_pair: str | list | None = None,
        *,
        add_special_tokens: bool = True,
        is_split_into_words: bool = False,
        return_tensors: str | None = None,
        return_token_type_ids: bool | None = None,
        return_attention_mask: bool | None = None,
        return_special_tokens_mask: bool = False,
        return_offsets_mapping: bool = False,
        return_overflowing_tokens: bool = False,
        return_length: bool = False,
        **shape: Any,
    ) -> BatchEncoding:
        """Return the ids of one text, of a list of texts, or of pairs of texts.

        Parameters
        ----------
        text : str, list of str, or list of (str, str)
            One text gives flat lists (with `return_tensors` a batch of one), a list gives a batch.
        text_pair : str or list of str, optional
            The second text of each pair.
        add_special_tokens : bool
        is_split_into_words : bool
            Each text is a list of words.
        return_tensors : {None, "np"}
            Lists, or int64 arrays (B, T).
        return_token_type_ids, return_attention_mask : bool, optional
            None: if the model takes them (`model_input_names`).
        return_special_tokens_mask, return_offsets_mapping, return_length : bool
            Also `special_tokens_mask`, `offset_mapping` (characters of the text), `length`.
        return_overflowing_tokens : bool
            What was cut off follows as further rows; `overflow_to_sample_mapping` tells whose they are.
        **shape
            `padding` (False, True, "longest", "max_length"), `truncation` (False, True, "longest_first",
            "only_first", "only_second"), `max_length`, `stride`, `pad_to_multiple_of`, `padding_side`.

        Raises
        ------
        ConfigError
            A combination that cannot work, such as padding without a padding token.
        DataError
            What should be text is not.
        """
        check_tensors(return_tensors)
        wanted = {
            "input_ids": True,
            "token_type_ids": self._takes("token_type_ids", return_token_type_ids),
            "attention_mask": self._takes("attention_mask", return_attention_mask),
            "special_tokens_mask": return_special_tokens_mask,
            "offset_mapping": return_offsets_mapping,
        }
        batch, is_batch = as_batch(text, text_pair, is_split_into_words)
        rows, owners = self._encode(batch, add_special_tokens, is_split_into_words, return_overflowing_tokens, shape)
        data = {name: [getattr(row, COLUMNS[name]) for row in rows] for name, want in wanted.items() if want}
        if return_length:
            data["length"] = [len(row.ids) for row in rows]
        if return_overflowing_tokens:
            data["overflow_to_sample_mapping"] = owners
        if return_tensors:
            data = {name: as_array(name, column) for name, column in data.items()}
        elif not is_batch and not return_overflowing_tokens:
            data = {name: column[0] if name != "length" else column for name, column in data.items()}
        return BatchEncoding(data, rows)

    def _takes(self, name: str, asked: bool | None) -> bool:
        return name in self.model_input_names if asked is None else asked

    def _encode(
        self, batch: list, add_special_tokens: bool, is_split_into_words: bool, overflow: bool, shape: dict[str, Any]
    ) -> tuple[list, list[int]]:
        """Return the library's encodings, and the number of the text that each belongs to."""
        if unknown := shape.keys() - set(Shape._fields):
            raise ConfigError(f"unknown argument {sorted(unknown)[0]!r}; rows are shaped by {', '.join(Shape._fields)}")
        is_pair = any(isinstance(item, tuple) for item in batch)
        n_special = self.backend_tokenizer.num_special_tokens_to_add(is_pair) if add_special_tokens else 0
        with shaped(self, Shape(**shape), n_special), explained(ConfigError, "the texts cannot be encoded so"):
            try:
                encodings = self.backend_tokenizer.encode_batch(
                    batch, is_pretokenized=is_split_into_words, add_special_tokens=add_special_tokens
                )
            except TypeError as error:
                raise explain_text(batch) from error
        parts = [[encoding, *(encoding.overflowing if overflow else ())] for encoding in encodings]
        return [row for part in parts for row in part], [i for i, part in enumerate(parts) for _ in part]

    def encode(self, text: str, text_pair: str | None = None, **options: Any) -> list[int]:
        """Return the ids of one text or pair; options as in a call."""
        return self(text, text_pair, **options)["input_ids"]

    def tokenize(
        self, text: str, pair: str | None = None, add_special_tokens: bool = False, **options: Any
    ) -> list[str]:
        """Return the tokens of one text or pair."""
        return self(text, pair, add_special_tokens=add_special_tokens, **options).tokens()

    @property
    def separator_id(self) -> int | None:
        """The id that stands between documents, or sentences, in a stream of tokens."""
        return self.eos_token_id if self.sep_token_id is None else self.sep_token_id

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} tokens, {self.special_tokens_map})"
