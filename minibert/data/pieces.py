"""Text into pieces that give it back: for tokenizers that keep white space."""

import re
from collections.abc import Iterator

LONGEST = 10_000  # characters of a piece

# GPT-2's splitting never joins white space to what stands before it. So a cut between the last character of a line
# and its line feed changes no token, and neither does one before a space.
_END_OF_LINE = re.compile(r"(?<=\S)(?=\n)")


def split_losslessly(text: str) -> list[str]:
    """Return the lines of the text, each with the line feeds before it; joined they are the text.

    What has no line feed for 10 000 characters is cut before a space, or if there is none, anywhere: there alone a
    byte pair may be lost.
    """
    return [piece for line in _END_OF_LINE.split(text) if line for piece in _cut(line)]


def _cut(line: str) -> Iterator[str]:
    begin = 0
    while len(line) - begin > LONGEST:
        end = line.rfind(" ", begin + 1, begin + LONGEST)
        while end > begin and line[end - 1].isspace():  # inside or after a run of spaces: before the run
            end -= 1
        if end <= begin:
            end = begin + LONGEST
        yield line[begin:end]
        begin = end
    yield line[begin:]
