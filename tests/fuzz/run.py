"""A coverage-guided fuzzer for each reader (extra `fuzz`). From the root of the repository:

    python tests/fuzz/run.py config -max_total_time=600

Options behind the reader's name are libFuzzer's. It begins with the good files of the reader and those kept in
`corpus/`, works in memory where the system has such a folder, and writes what crashed or hung as `crash-*` or
`timeout-*` into the current folder: mend the reader, and move that file to `corpus/READER/`.
"""

import shutil
import sys
import tempfile
from pathlib import Path

TESTS = Path(__file__).parents[1]
LIMITS = ["-timeout=20", "-rss_limit_mb=2048", "-max_len=20000"]
MEMORY = "/dev/shm"


def main() -> None:
    """Fuzz until the time is over, or something is found."""
    import atheris

    sys.path[0] = str(TESTS)
    with atheris.instrument_imports(include=["minibert"]):
        from fuzz.targets import CORPUS, READERS, seeds, target
    if len(sys.argv) < 2 or sys.argv[1] not in READERS:
        raise SystemExit(
            f"usage: python {sys.argv[0]} READER [options of libFuzzer]; READER is one of {', '.join(READERS)}"
        )
    kind, folder = sys.argv[1], Path(tempfile.mkdtemp(dir=MEMORY if Path(MEMORY).is_dir() else None))
    try:
        seeds(kind, folder / "seeds")
        work, kept = folder / "work", CORPUS / kind
        work.mkdir()
        begin = [str(folder / "seeds"), *([str(kept)] if kept.is_dir() else [])]
        atheris.Setup([sys.argv[0], *LIMITS, *sys.argv[2:], *begin], target(kind, work))
        atheris.Fuzz()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
