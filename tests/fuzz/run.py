"""A coverage-guided fuzzer for each reader (extra `fuzz`). From the root of the repository:

    python tests/fuzz/run.py config -max_total_time=600

Options behind the reader's name are libFuzzer's. It begins with the good files of the reader and with those kept in
`corpus/`, works in memory where the system has a folder there, and writes what crashed or hung as `crash-*` or
`timeout-*` into the current folder: mend the reader, and move that file to `corpus/READER/`, which a test reads.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

TESTS = Path(__file__).parents[1]
LIMITS = ["-timeout=60", "-rss_limit_mb=2048", "-max_len=20000"]
MEMORY = "/dev/shm"


def main() -> None:
    """Fuzz until the time is over, or something is found."""
    folder = Path(tempfile.mkdtemp(dir=MEMORY if Path(MEMORY).is_dir() else None))
    child = os.fork()  # libFuzzer ends its process without a word to Python, which could not clean up
    if not child:
        fuzz(folder, *sys.argv[1:])
    try:
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def fuzz(folder: Path, kind: str = "", *options: str) -> None:
    """Fuzz a reader in an empty folder."""
    import atheris

    sys.path[0] = str(TESTS)
    with atheris.instrument_imports(include=["minibert"]):
        from fuzz.targets import CORPUS, READERS, seeds, target
    if kind not in READERS:
        raise SystemExit(f"usage: python {sys.argv[0]} READER [options of libFuzzer]; readers: {', '.join(READERS)}")
    seeds(kind, folder / "seeds")
    (folder / "work").mkdir()
    begin = [str(folder / "seeds"), *([str(CORPUS / kind)] if (CORPUS / kind).is_dir() else [])]
    atheris.Setup([sys.argv[0], *LIMITS, *options, *begin], target(kind, folder / "work"))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
