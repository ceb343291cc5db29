"""The text of tokens that arrive one by one."""

from collections.abc import Callable

UNFINISHED = "\ufffd"  # what a decoder shows in place of bytes that are no character, or not yet


class GrowingText:
    """Decodes tokens as they arrive: what it returned, joined, is the text of all.

    A token may end inside a character of several bytes, and some decoders join a token to the one before it. So the
    last token that was shown is decoded again with those that follow, and bytes that may become a character wait.

    Parameters
    ----------
    decode : callable
        list of ids -> text.
    """

    def __init__(self, decode: Callable[[list[int]], str]) -> None:
        self.decode = decode
        self.waiting: list[int] = []  # tokens from the last one that is shown whole
        self.shown = 0  # characters of their text

    def add(self, token: int) -> str:
        """Return the text that is complete with this token, which may be none."""
        self.waiting.append(token)
        text = self.decode(self.waiting)
        if text.endswith(UNFINISHED):
            return self._show(text[:-1])
        piece = self._show(text)
        self.waiting = self.waiting[-1:]
        self.shown = len(self.decode(self.waiting))
        return piece

    def rest(self) -> str:
        """Return what is left at the end: a character that was never completed, as its decoder shows it."""
        return self._show(self.decode(self.waiting)) if self.waiting else ""

    def _show(self, text: str) -> str:
        piece = text[self.shown :]
        self.shown = max(self.shown, len(text))
        return piece
