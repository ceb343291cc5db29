"""Questions about contexts longer than the model: windows that overlap, and where the answer stands in each."""

from collections.abc import Sequence
from typing import NamedTuple

from minibert.errors import DataError
from minibert.tokenizers.base import PretrainedTokenizer
from minibert.tokenizers.batch_encoding import BatchEncoding

Offsets = Sequence[tuple[int, int]]  # of each token: its characters [begin, end) in its text


class Windows(NamedTuple):
    """The windows of a batch of questions, W in all."""

    encoding: BatchEncoding  # `input_ids`, `attention_mask`, ...: lists, padded to one length T
    owners: list[int]  # (W,) the question that each belongs to
    offsets: list[Offsets]  # (W, T) characters of the context, (0, 0) elsewhere
    in_context: list[list[bool]]  # (W, T) where the tokens of the context are


def answer_windows(
    tokenizer: PretrainedTokenizer,
    questions: Sequence[str],
    contexts: Sequence[str],
    max_length: int = 384,
    stride: int = 128,
) -> Windows:
    """Encode each question with its context, in as many windows as the context needs.

    Parameters
    ----------
    tokenizer : PretrainedTokenizer
    questions, contexts : lists of str
    max_length : int
        Tokens in a window, the question among them.
    stride : int
        Tokens of the context that two windows share, so that an answer at an edge is whole in one of them.

    Raises
    ------
    ConfigError
        If a question leaves no room for `stride` tokens of context and more.
    """
    encoding = tokenizer(
        list(questions),
        list(contexts),
        truncation="only_second",
        max_length=max_length,
        stride=stride,
        padding=True,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
    )
    in_context = [[part == 1 for part in encoding.sequence_ids(row)] for row in range(len(encoding.encodings))]
    offsets = [
        [tuple(place) if inside else (0, 0) for place, inside in zip(row, flags, strict=True)]
        for row, flags in zip(encoding.data.pop("offset_mapping"), in_context, strict=True)
    ]
    return Windows(encoding, encoding.data.pop("overflow_to_sample_mapping"), offsets, in_context)


def answer_tokens(offsets: Offsets, in_context: Sequence[bool], answer: tuple[int, int] | None) -> tuple[int, int]:
    """Find the first and the last token of an answer in one window.

    Parameters
    ----------
    offsets : (T, 2) integers
        Characters [begin, end) of each token in the context.
    in_context : (T,) bool
        Which tokens are the context's.
    answer : (begin, end), optional
        Its characters in the context; None if there is no answer.

    Returns
    -------
    start, end : int
        (0, 0), the [CLS] token, if the window does not hold the whole answer: "no answer here".

    Raises
    ------
    DataError
        If the answer is empty or begins before the context.
    """
    if answer is None:
        return 0, 0
    begin, end = answer
    if not 0 <= begin < end:
        raise DataError(f"an answer needs characters begin < end within its context; got {begin} and {end}")
    inside = [i for i, flag in enumerate(in_context) if flag and offsets[i][0] < offsets[i][1]]
    touched = [i for i in inside if offsets[i][0] < end and begin < offsets[i][1]]
    if not touched or offsets[inside[0]][0] > begin or offsets[inside[-1]][1] < end:
        return 0, 0
    return touched[0], touched[-1]
