"""What a fuzzer calls: the bytes that it makes up stand in one of a reader's files."""

import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

from hostile.readers import READERS

from minibert.errors import MinibertError

CORPUS = Path(__file__).parent / "corpus"  # a folder a reader: what was found, and what reached code that is rarely run


def target(kind: str, folder: Path) -> Callable[[bytes], None]:
    """Return a function of bytes that reads them: the first one chooses the file, the rest is what is in it.

    Parameters
    ----------
    kind : str
        A name in `hostile.readers.READERS`.
    folder : Path
        An empty one, to work in.
    """
    good, bad = folder / "good", folder / "bad"
    good.mkdir()
    reader = READERS[kind](good)
    contents = {name: (good / name).read_bytes() for name in reader.files}
    shutil.copytree(good, bad)

    def read(data: bytes) -> None:
        if not data:
            return
        seal, choice = divmod(data[0], len(reader.files))
        name = reader.files[choice]
        (bad / name).write_bytes(data[1:])
        if reader.seal and seal % 2:
            reader.seal(bad)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                reader.read(bad, name)
        except MinibertError:
            pass  # that is what is promised; anything else is a find
        finally:
            if reader.seal:
                shutil.rmtree(bad, ignore_errors=True)
                shutil.copytree(good, bad)
            else:
                (bad / name).write_bytes(contents[name])

    return read


def seeds(kind: str, folder: Path) -> None:
    """Write the good files of a reader into `folder`, as the fuzzer's bytes: what it begins with."""
    good = folder / "good"
    good.mkdir(parents=True)
    reader = READERS[kind](good)
    for i, name in enumerate(reader.files):
        (folder / f"good-{i}").write_bytes(bytes([i]) + (good / name).read_bytes())
    shutil.rmtree(good)
