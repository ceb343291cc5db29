"""Text into sentences, by rules, for English and Chinese punctuation.

A sentence ends at a blank line; at 。！？ in any case; and at . ! ? … followed by white space, unless the word
before the full stop is an abbreviation or an initial, or the next word starts with a small letter (in a text
without any capital letter, a small letter may start a sentence). Closing quotes and brackets stay with the
sentence they close.

Limits, accepted for simplicity: a sentence that really ends in "Dr." or "U.S." is joined to the next one, line
breaks inside a paragraph count as spaces (a list without punctuation or blank lines is one sentence), and other
scripts' full stops are not known. What has no end for 10 000 characters is cut there, at a space if there is one.
"""

import re
from collections.abc import Iterator

# Quantifiers are possessive and nothing follows them, so every character is looked at once, whatever the text.
_END = re.compile(r"""([.!?…。！？｡]++)["'”’»)\]}」』）】》〉]*+""")
_BLANK_LINE = re.compile(r"\n\s*\n")
_CHINESE_STOPS = frozenset("。！？｡")
_OPENING = "\"'“‘«([{「『（【《〈"

_TITLES_AND_SUCH = """
    mr mrs ms dr prof rev hon st mt gen col capt lt sgt sen rep gov pres messrs mme mlle
    vs viz cf ca approx al esp resp ed eds
"""
_WORDS_BEFORE_NUMBERS = """
    no nos fig figs vol vols p pp ch sec eq eqs art ver
    jan feb mar apr jun jul aug sep sept oct nov dec
"""
_ABBREVIATIONS = frozenset(_TITLES_AND_SUCH.split())
_BEFORE_NUMBERS = frozenset(_WORDS_BEFORE_NUMBERS.split())
_DOTTED = re.compile(r"(?:[^\W\d_]\.)+[^\W\d_]")  # e.g, i.e, U.S, a.m: what stands before the last full stop
LONGEST_SENTENCE = 10_000  # characters: bounds the memory that encoding one sentence takes
_LONGEST_WORD = 20  # characters before a full stop that are looked at: enough for every abbreviation


def split_sentences(text: str) -> list[str]:
    """Return the sentences of `text`, with white space normalised and empty ones left out.

    The time is linear in the length of the text. See the module's docstring for the rules and their limits.
    """
    small_letters_start = text.islower()
    sentences: list[str] = []
    for paragraph in _BLANK_LINE.split(text):
        paragraph = " ".join(paragraph.split())
        if paragraph:
            for sentence in _split_paragraph(paragraph, small_letters_start):
                sentences += [sentence] if len(sentence) <= LONGEST_SENTENCE else _cut(sentence)
    return sentences


def _cut(sentence: str) -> Iterator[str]:
    begin = 0
    while len(sentence) - begin > LONGEST_SENTENCE:
        space = sentence.rfind(" ", begin, begin + LONGEST_SENTENCE)
        end = space if space > begin else begin + LONGEST_SENTENCE
        yield sentence[begin:end]
        begin = end + (sentence[end] == " ")
    yield sentence[begin:]


def _split_paragraph(text: str, small_letters_start: bool) -> list[str]:
    sentences, start = [], 0
    for match in _END.finditer(text):
        end = match.end()
        if end < len(text) and _is_boundary(text, start, match, small_letters_start):
            sentences.append(text[start:end])
            start = end + (text[end] == " ")
    sentences.append(text[start:])
    return sentences


def _is_boundary(text: str, start: int, match: re.Match, small_letters_start: bool) -> bool:
    """Whether the sentence that began at `start` ends with `match`, which does not end the text."""
    stops, end = match[1], match.end()
    if not _CHINESE_STOPS.isdisjoint(stops):
        return True
    if text[end] != " ":
        return stops[-1] in "!?" and "\u4e00" <= text[end] <= "\u9fff"  # Chinese with ASCII ! and ?
    if not small_letters_start and _first_letter(text, end + 1).islower():
        return False
    return stops != "." or not _is_abbreviation(text, start, match.start(), text[end + 1])


def _first_letter(text: str, at: int) -> str:
    """The character at `at`, or the one after it if that is an opening quote or bracket."""
    return text[at + 1 : at + 2] if text[at] in _OPENING else text[at]


def _is_abbreviation(text: str, start: int, stop: int, following: str) -> bool:
    """Whether the word that ends before the full stop at `stop` is one that does not end a sentence."""
    begin = max(start, stop - _LONGEST_WORD)
    begin = max(begin, text.rfind(" ", begin, stop) + 1)
    word = text[begin:stop].lstrip(_OPENING)
    if len(word) == 1 and word.isupper():
        return word != "I"  # an initial, or the pronoun
    if word.isdecimal():
        return begin == start  # "1. Open the file."
    lower = word.lower()
    if lower in _BEFORE_NUMBERS:
        return following.isdecimal()
    return lower in _ABBREVIATIONS or _DOTTED.fullmatch(word) is not None
