"""Is there room for a model in this machine? Asked before anything is allocated."""

import os
from pathlib import Path

from minibert.errors import ConfigError
from minibert.units import bytes_text

CONTAINER = Path("/sys/fs/cgroup/memory.max")  # of Linux: what a container may use


def machine_memory() -> int | None:
    """Return the bytes of memory that this machine, or the container, has; None where it cannot be found out."""
    try:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None
    limit = CONTAINER.read_text().strip() if CONTAINER.is_file() else ""
    return min(memory, int(limit)) if limit.isdigit() else memory


def check_room(what: str, numbers: int, itemsize: int) -> None:
    """Raise `ConfigError` if so many numbers need more memory than the machine has."""
    needed, memory = numbers * itemsize, machine_memory()
    if memory is not None and needed > memory:
        raise ConfigError(
            f"{what} with this configuration has at least {numbers:,} parameters, {bytes_text(needed)} of memory, but "
            f"this machine has {bytes_text(memory)}: choose smaller sizes, or check config.json"
        )
