"""Plant mistakes in the backward passes, one at a time, and see whether a test fails.

    cd tests && python -m mutants [ops blocks models kernels] [--every 3] [--only gelu_backward] [--json FILE]

No file is changed: a mistake is the code of one function, exchanged in a process of its own. Then the tests that bear
the function's name run until one fails, first the one that noticed the last mistake in it, and in the end those of
adapters and frozen parameters; if none bears the name, all of `targets.TESTS` do. A mistake that ends in an exception,
a crash or a loop without end counts as noticed.

Everything runs as plain Python, the kernels too (see `interpreted`). Tests that fail like that, or take too long, are
not used. This is not part of the suite: all mistakes, thousands, take hours. RESULTS.md says what a sample showed.
"""

import argparse
import json
import os
import pickle
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mutants import interpreted, targets
from mutants.mutate import Mutant, mutants

TESTS = Path(__file__).parents[1]
SECONDS = 10  # of processor time that a test may take to be used here; with a mistake in it, three times that


class Hunt:
    """A pytest plugin: in the place of running each test once, runs them against every mistake."""

    def __init__(self, folder: str, every: int, only: list[str]) -> None:
        self.functions = [f for f in targets.functions(folder) if not only or f.__name__ in only]
        self.every = every
        self.noticed: list[tuple[Mutant, str]] = []
        self.survivors: list[Mutant] = []
        self.usable: dict[pytest.Item, bool] = {}

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Take the place of pytest's own loop."""
        for function in self.functions:
            about = [item for item in session.items if targets.is_about(item.nodeid, function)]
            last = [item for item in session.items if targets.LAST in item.nodeid and item not in about]
            items = about + last if about else list(session.items)
            for mutant in mutants(function, self.every):
                self.try_one(mutant, items)
            planted = len(self.noticed) + len(self.survivors)
            print(f"{time.strftime('%X')} {function.__qualname__}: {planted} planted, {len(self.survivors)} survived")
        return True

    def try_one(self, mutant: Mutant, items: list[pytest.Item]) -> None:
        """Run tests until one fails, and put that one first."""
        for item in items:
            if self.is_usable(item) and (failure := apart(lambda item=item: fails(item, 3 * SECONDS, mutant))):
                self.noticed.append((mutant, failure))
                items.remove(item)
                items.insert(0, item)
                return
        self.survivors.append(mutant)
        print(f"survives: {mutant}", flush=True)

    def is_usable(self, item: pytest.Item) -> bool:
        """Whether a test passes as it is."""
        if item not in self.usable:
            failure = apart(lambda: fails(item, SECONDS))
            self.usable[item] = not failure
            if failure:
                print(f"not used: {item.nodeid}: {failure}", flush=True)
        return self.usable[item]


def fails(item: pytest.Item, seconds: float, mutant: Mutant | None = None) -> str:
    """Run a test, with a mistake planted: "" if it passes, else why not."""
    from _pytest.runner import runtestprotocol

    signal.setitimer(signal.ITIMER_PROF, seconds)
    if mutant:
        mutant.function.__code__ = mutant.code
    for report in runtestprotocol(item, nextitem=None, log=False):
        if not report.passed:
            crash = getattr(report.longrepr, "reprcrash", None)
            return "skipped" if report.skipped else (crash.message.splitlines()[0] if crash else "fails")
    return ""


def apart(work: Callable[[], Any]) -> Any:
    """Do some work in a process of its own; "crashes" or "does not end" if it returns nothing."""
    read, write = os.pipe()
    if (child := os.fork()) == 0:
        os.close(read)
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        with os.fdopen(write, "wb") as out:
            pickle.dump(work(), out)
            out.flush()
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as results:
        answer = results.read()
    _, status = os.waitpid(child, 0)
    if status == 0:
        return pickle.loads(answer)
    return "does not end" if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGPROF else "crashes"


def hunt(folder: str, every: int, only: list[str]) -> Hunt:
    """Plant every n-th mistake in a folder and run its tests."""
    plugin = Hunt(folder, every, only)
    paths = [str(TESTS / path) for path in targets.TESTS[folder]]
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:faulthandler", "--rootdir", str(TESTS.parent), "-W", "ignore"]
    pytest.main(options + paths, plugins=[plugin])
    return plugin


def simple_hypothesis() -> None:
    """The same examples in every run, no search for the smallest that fails, and none kept."""
    from hypothesis import HealthCheck, Phase, settings

    phases = (Phase.explicit, Phase.generate)
    settings.register_profile(
        "mutants",
        phases=phases,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    settings.load_profile("mutants")


def main() -> None:
    """Hunt in the folders named, and report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="*", default=list(targets.TESTS), choices=targets.TESTS)
    parser.add_argument("--every", type=int, default=1, help="plant every n-th mistake only")
    parser.add_argument("--only", nargs="+", default=[], help="plant mistakes in functions of these names only")
    parser.add_argument("--json", type=Path, help="where to write what survived")
    options = parser.parse_args()
    simple_hypothesis()
    interpreted.load()
    report = {}
    for folder in options.folders:
        done = hunt(folder, options.every, options.only)
        planted = len(done.noticed) + len(done.survivors)
        report[folder] = {
            "functions": len(done.functions),
            "planted": planted,
            "noticed": len(done.noticed),
            "survivors": [str(mutant) for mutant in done.survivors],
            "kinds": dict(Counter(m.kind for m in [*(m for m, _ in done.noticed), *done.survivors])),
            "how": dict(Counter(how.split(":")[0] for _, how in done.noticed).most_common(8)),
        }
        print(f"{folder}: {len(done.noticed)} of {planted} noticed", flush=True)
        if options.json:
            options.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
