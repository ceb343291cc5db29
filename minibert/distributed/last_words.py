"""What a rank says before it ends all of them."""

import os
import stat
import struct
import time
from typing import IO

try:
    import fcntl
    import termios
except ImportError:  # Windows
    fcntl = termios = None

PATIENCE = 1.0  # seconds


def say_last_words(text: str, stream: IO[str]) -> None:
    """Print a text; if the stream is a pipe, wait until the other end has read it, or `PATIENCE` ends.

    A launcher reads what its ranks print from pipes. If it learns of an abort first, it throws away what is in them.
    """
    print(text, file=stream, flush=True)
    end = time.perf_counter() + PATIENCE
    while _unread(stream.fileno()) and time.perf_counter() < end:
        time.sleep(0.001)


def _unread(file: int) -> int:
    """Return how many bytes stand unread in a pipe; of anything else, and on Windows, 0."""
    if fcntl is None or not stat.S_ISFIFO(os.fstat(file).st_mode):
        return 0
    return struct.unpack("i", fcntl.ioctl(file, termios.FIONREAD, bytes(4)))[0]
