"""What the library `tokenizers` raises, as errors of minibert."""

from collections.abc import Iterator
from contextlib import contextmanager

from minibert.errors import MinibertError

LONGEST = 200  # characters of the library's own message


@contextmanager
def explained(error: type[MinibertError], what: str) -> Iterator[None]:
    """Turn what the library raises in a `with` block into `error`, one line: `what` and the library's reason.

    The library raises bare `Exception`. Where its Rust code panics, a `PanicException` arrives, a `BaseException`
    that no module offers to import, so it is known by its name; all others (an interrupt) go on as they are.
    """
    try:
        yield
    except MinibertError:
        raise
    except Exception as reason:
        raise error(f"{what} ({_one_line(reason)})") from reason
    except BaseException as reason:
        if type(reason).__name__ != "PanicException":
            raise
        raise error(f"{what} ({_one_line(reason)})") from reason


def _one_line(reason: BaseException) -> str:
    return " ".join(str(reason).split())[:LONGEST]
