"""Which options differ between a checkpoint and the run that goes on from it, and which of them may."""

from collections.abc import Callable, Collection
from typing import Any

from minibert.errors import ConfigError

PLACE = "output_dir"  # where a run is, is not how it goes


def check_changes(
    before: dict[str, Any],
    now: dict[str, Any],
    harmless: Collection[str],
    allow_change: bool,
    say: Callable[[str], Any],
) -> None:
    """Name every option that has changed.

    Parameters
    ----------
    before, now : dict
        The options, by name.
    harmless : collection of str
        Those that change no weights: what is logged, evaluated and kept.
    allow_change : bool
        Allow the others too.
    say : callable
        Told of what changes and is allowed.

    Raises
    ------
    ConfigError
        If options changed that are neither harmless nor allowed.
    """
    changed = [name for name in {**before, **now} if before.get(name) != now.get(name) and name != PLACE]
    breaking = [name for name in changed if name not in harmless]
    if breaking and not allow_change:
        raise ConfigError(
            f"the run was started with {_listed(breaking, before)}, not with {_listed(breaking, now)}: it would not go "
            "on as if it had never stopped; leave the options as they were, or allow the change (--allow_change)"
        )
    if changed:
        say(f"changed since the checkpoint: {_listed(changed, now)} (before: {_listed(changed, before)})")


def _listed(names: list[str], values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {values.get(name)!r}" for name in names)
