"""One process that meets all cases of a reader, and tells of each one before and after: a crash names its case.

python child.py READER FOLDER BY_HAND SWAPS GENERATED SEED
"""

import ctypes
import faulthandler
import gc
import json
import random
import resource
import shutil
import signal
import sys
import time
import traceback
import warnings
from pathlib import Path

from hostile.damage import changed
from hostile.readers import READERS

from minibert.errors import MinibertError

HANG = 20  # seconds of the processor; so many that no load of the machine matters
WAIT = 300  # seconds in which nothing happens: for a pipe that nobody writes to
ROOM = 4 * 2**30  # bytes of address space beyond what the process has: a bomb ends this process, not the machine
STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def memory(what):
    """Bytes of this process now, "VmRSS", or at its peak, "VmHWM"; 0 where the system cannot tell."""
    if not STATUS.is_file():
        return 0
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(what))
    return int(line.split()[1]) * 1024


def forget_peak():
    """Begin the peak anew, from what is in use: freed memory that the process has kept would hide what a case takes."""
    if sys.platform == "linux":
        getattr(ctypes.CDLL(None), "malloc_trim", lambda room: None)(0)
    if RESET.exists():
        RESET.write_text("5")


def hang(number, frame):
    traceback.print_stack(frame)
    raise SystemExit("a case takes longer than any reader may")


def size_of(folder):
    """Bytes that the files of a folder take on the disk, whatever size they claim."""
    return sum(path.lstat().st_blocks * 512 for path in folder.rglob("*"))


def outcome(read, folder, name):
    try:
        read(folder, name)
    except MinibertError as error:
        return type(error).__name__, str(error)
    except (Exception, RecursionError):
        return "crash", traceback.format_exc()
    return "read", ""


def run(reader, good, folder, name, change):
    """Make a case, meet it, and tell what came of it."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(good, folder)
    change(folder)
    size = size_of(folder)
    gc.collect()
    forget_peak()
    before, start = memory("VmRSS"), time.process_time()
    signal.setitimer(signal.ITIMER_PROF, HANG)
    signal.alarm(WAIT)
    what, message = outcome(reader.read, folder, name)
    signal.alarm(0)
    signal.setitimer(signal.ITIMER_PROF, 0)
    seconds = time.process_time() - start
    return {"what": what, "message": message, "over": memory("VmHWM") - before - size, "cpu": seconds}


def chosen(cases, count, rng):
    """`count` of the cases, or all."""
    names = sorted(cases)
    return {name: cases[name] for name in (names if count >= len(names) else sorted(rng.sample(names, count)))}


def generated(reader, good, count, rng):
    """Changes at random, of each file in turn."""
    for i in range(count):
        name = reader.files[i % len(reader.files)]
        data = changed(name, (good / name).read_bytes(), rng)
        seal = reader.seal if reader.seal and rng.random() < 0.5 else lambda folder: None

        def change(folder, name=name, data=data, seal=seal):
            (folder / name).write_bytes(data)
            seal(folder)

        yield f"generated {i} of {name}", (name, change)


def main(kind, folder, by_hand, swaps, count, seed):
    warnings.simplefilter("ignore")  # heads that begin at random; sums of absurd weights that overflow
    faulthandler.enable()
    signal.signal(signal.SIGALRM, hang)
    signal.signal(signal.SIGPROF, hang)
    rng, good = random.Random(int(seed)), Path(folder) / "good"
    good.mkdir()
    reader = READERS[kind](good)
    reader.read(good, reader.files[0])
    used = memory("VmSize")
    if used:
        resource.setrlimit(resource.RLIMIT_AS, (used + ROOM, resource.RLIM_INFINITY))
    gc.freeze()
    groups = {
        "by hand": chosen(reader.by_hand, int(by_hand), rng),
        "swap": chosen(reader.swaps, int(swaps), rng),
        "generated": dict(generated(reader, good, int(count), rng)),
    }
    for group, cases in groups.items():
        for name, (file, change) in cases.items():
            told = {"group": group, "name": name, "accepted": group != "by hand" or name in reader.accepted}
            print(json.dumps(told), flush=True)
            result = run(reader, good, Path(folder) / "bad", file, change)
            print(json.dumps({**told, **result}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
