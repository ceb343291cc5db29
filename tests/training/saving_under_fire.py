"""Processes that save checkpoints while something goes wrong: run as a program, it prints what it found as JSON.

A child is forked and traced (ptrace): at a chosen system call its tracer kills it, or lets the call fail. So every
point at which a process can die is met, those inside libraries too, and no code under test is replaced. It is a
program of its own because a process with threads should not fork.

    python saving_under_fire.py kill FOLDER STRIDE             SIGKILL at every STRIDE-th system call of one save
    python saving_under_fire.py fail FOLDER STRIDE             ENOSPC, EIO, EROFS from every STRIDE-th one about files
    python saving_under_fire.py run FOLDER COUNT               SIGKILL at COUNT random moments of a run
    python saving_under_fire.py full FOLDER COUNT              a disk (FOLDER, 256 KiB) with COUNT amounts of room left
"""

import ctypes
import errno
import json
import os
import random
import shutil
import signal
import sys
import threading
import time
from itertools import count
from pathlib import Path

import numpy as np
from tqdm import tqdm

from minibert import BertConfig, BertForPreTraining
from minibert.errors import CheckpointError
from minibert.training.callbacks import CallbackHandler
from minibert.training.checkpoints import Checkpoints, good_checkpoint
from minibert.training.feed import Feed
from minibert.training.log import RunLog
from minibert.training.loop import LoopSettings, in_steps, train
from minibert.training.optimizer import AdamW
from minibert.training.progress import Progress
from minibert.training.run_state import Run
from minibert.training.whole_folder import check_folder
from minibert.tree import flatten

TRACEME, PEEKUSER, POKEUSER, KILL, SYSCALL, SETOPTIONS = 0, 3, 6, 8, 24, 0x4200
EXITKILL_AND_GOOD = 0x100000 | 1
ORIG_RAX, RAX = 15 * 8, 10 * 8  # where x86-64 keeps the number of a call, and what it returns
ABOUT_FILES = {  # and their numbers there
    "write": 1, "close": 3, "fstat": 5, "lseek": 8, "pwrite64": 18, "writev": 20, "fsync": 74, "ftruncate": 77,
    "rename": 82, "mkdir": 83, "rmdir": 84, "unlink": 87, "getdents64": 217, "openat": 257, "mkdirat": 258,
    "newfstatat": 262, "unlinkat": 263, "renameat": 264, "renameat2": 316,
}  # fmt: skip
ERRORS = (errno.ENOSPC, errno.EIO, errno.EROFS)
TYPED, UNTYPED = 3, 4  # how a child exits whose save raised
SIZES = dict(vocab_size=23, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=12)

# By itself tqdm has a lock that forked processes share: who is killed while holding it would stop all others for good.
tqdm.set_lock(threading.RLock())
tqdm.monitor_interval = 0  # no thread beside the one that forks

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes, libc.ptrace.restype = (
    [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p],
    ctypes.c_long,
)


def trace(work, at, error=None):
    """Run `work` in a child, and kill it at its system call number `at`, or return `error` from that.

    Return (how it ended, the number of calls it made). Only calls ABOUT_FILES count if there is an error.
    """
    child = os.fork()
    if child == 0:
        libc.ptrace(TRACEME, 0, None, None)
        os.kill(os.getpid(), signal.SIGSTOP)
        end(work)
    os.waitpid(child, 0)
    libc.ptrace(SETOPTIONS, child, None, EXITKILL_AND_GOOD)
    calls, entering = 0, True
    while True:
        libc.ptrace(SYSCALL, child, None, None)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status) or os.WIFSIGNALED(status):
            return status, calls
        if os.WSTOPSIG(status) != signal.SIGTRAP | 0x80:
            continue
        if entering and (error is None or libc.ptrace(PEEKUSER, child, ORIG_RAX, None) in ABOUT_FILES.values()):
            calls += 1
            if calls == at and error is None:
                os.kill(child, signal.SIGKILL)
                return os.waitpid(child, 0)[1], calls
            if calls == at:
                libc.ptrace(POKEUSER, child, ORIG_RAX, ctypes.c_void_p(-1))  # no such call
                libc.ptrace(SYSCALL, child, None, None)
                os.waitpid(child, 0)
                libc.ptrace(POKEUSER, child, RAX, ctypes.c_void_p(-error))
                continue
        entering = not entering


def end(work):
    """Do the work and leave the process at once, with a code that tells how it went."""
    code = UNTYPED
    try:
        work()
        code = 0
    except CheckpointError:
        code = TYPED
    except BaseException as error:
        print(repr(error), file=sys.stderr)
    os._exit(code)


def batch(seed):
    rng = np.random.default_rng(seed)
    ids = rng.integers(5, 23, (2, 6))
    hidden = rng.random(ids.shape) < 0.4
    hidden[0, 0] = True
    return {
        "input_ids": ids,
        "attention_mask": np.ones_like(ids),
        "labels": np.where(hidden, ids, -100),
        "next_sentence_label": rng.integers(0, 2, 2),
    }


def new_run():
    model = BertForPreTraining(BertConfig(**SIZES, max_position_embeddings=8))
    feed = Feed(lambda epoch: (batch(7 * epoch + i) for i in range(7)))
    handler = CallbackHandler(model=model)
    return Run(model, AdamW(model.params), feed, handler.state, {"seed": 0}), handler


def train_to(step, folder):
    """Train from the newest good checkpoint, if there is one, and save after each step."""
    run, handler = new_run()
    progress, newest = Progress(), None
    if any(folder.glob("checkpoint-*")) or any(folder.glob(".checkpoint-*.replaced")):
        newest = good_checkpoint(folder, lambda text: None)
        progress = run.read(newest)
    checkpoints = Checkpoints(folder, 2, newest)
    settings = LoopSettings(step, log_every=2, eval_every=0, save_every=1, eval_on_start=False)
    with RunLog(folder, step, progress=False, history=handler.state.log_history) as log:

        def save(progress):
            checkpoints.save(progress.step, lambda path: run.write(path, progress))

        parts = (run.model, run.optimizer, in_steps(run.feed, 1), lambda step: 1e-3)
        train(*parts, settings, log, None, save, handler, progress)
    return run


def newest_step(folder):
    """The newest good checkpoint, and whether a damaged one had to be passed over."""
    damaged = []
    return int(good_checkpoint(folder, damaged.append).name.split("-")[1]), len(damaged)


class Case:
    """A folder with a good checkpoint of step 10, and saving that of step 20, after which only one is kept.

    `again`: a good checkpoint of step 20, of another run, is to be replaced.
    """

    def __init__(self, folder, again=False):
        self.folder, self.again = folder / "case", again
        self.run, _ = new_run()
        self.run.feed.go_to({"epoch": 0, "taken": 1}, same=False)
        self.template = folder / "template"
        for step in (10, 20) if again else (10,):
            self.write(Checkpoints(self.template), step)
        self.run.optimizer.t = 1  # tells the checkpoint that is saved later

    def begin(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self.template, self.folder)
        self.checkpoints = Checkpoints(self.folder, 1, self.folder / "checkpoint-10")

    def save(self):
        self.write(self.checkpoints, 20)

    def write(self, checkpoints, step):
        checkpoints.save(step, lambda path: self.run.write(path, Progress(step)))

    def find(self, saved):
        """What is wrong now: nothing good, something half-written, or not what was saved."""
        try:
            step, damaged = newest_step(self.folder)
        except CheckpointError as error:
            return f"lost: {error}"
        values = json.loads((self.folder / f"checkpoint-{step}" / "progress.json").read_text())
        new = values["optimizer"]["t"] == 1
        if damaged or (saved and not new) or (new and step != 20) or (self.again and step != 20):
            return f"step {step}, {damaged} damaged, {'new' if new else 'old'}"
        self.save()  # as the next run would
        left = sorted(path.name for path in self.folder.iterdir())
        check_folder(self.folder / "checkpoint-20")
        return None if left == ["checkpoint-20"] else f"left: {left}"


def save_under_fire(folder, stride, errors):
    """One save after another, each hit at another system call."""
    found, hits = {}, 0
    for again in (False, True):
        case = Case(folder / str(again), again)
        for error in errors:
            for at in count(1, stride):
                case.begin()
                status, calls = trace(case.save, at, error)
                if calls < at:
                    break
                hits += 1
                ended = os.WIFSIGNALED(status) if error is None else os.WEXITSTATUS(status) in (0, TYPED)
                problem = case.find(saved=os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0)
                if problem or not ended:
                    found[f"again {again}, error {error}, call {at}"] = problem or f"ended with {status}"
    return {"hits": hits, "found": found}


def kill_a_run(folder, number):
    """Kill a run again and again; then let it end, and compare with one that nobody killed."""
    rng, found, reached, steps = random.Random(0), {}, 0, []
    begin = time.perf_counter()
    train_to(4, folder / "warm-up")
    longest = (time.perf_counter() - begin) / 2
    killed = folder / "killed"
    killed.mkdir()
    while len(steps) < number:
        child = os.fork()
        if child == 0:
            end(lambda: train_to(100_000, killed))
        time.sleep(rng.random() * longest)
        os.kill(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
        if not os.WIFSIGNALED(status):
            found[f"kill {len(steps)}"] = f"ended by itself, with {os.WEXITSTATUS(status)}"
        if any(killed.glob("*checkpoint-*")) and reached:
            step, damaged = newest_step(killed)
            if step < reached or damaged:
                found[f"kill {len(steps)}"] = f"at step {step} after {reached}, {damaged} damaged"
        reached = max([0, *(int(path.name.split("-")[1]) for path in killed.glob("checkpoint-*"))])
        steps.append(reached)
    killed_run = train_to(reached + 3, killed)
    whole_run = train_to(reached + 3, folder / "whole")
    for name, array in flatten(whole_run.model.params).items():
        if not np.array_equal(array, flatten(killed_run.model.params)[name]):
            found[name] = "differs"
    for name, array in whole_run.optimizer.state().items():
        if not np.array_equal(array, killed_run.optimizer.state()[name]):
            found[name] = "differs"
    return {"hits": len(steps), "steps": reached, "found": found}


def fill_the_disk(folder, number):
    """Save on a small disk on which ever more room is left."""
    case, found, typed = Case(folder), {}, 0
    room = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
    for i in range(number):
        case.begin()
        free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
        ballast = folder / "ballast"
        ballast.write_bytes(bytes(max(0, free - i * 4096)))
        try:
            case.save()
            saved = True
        except CheckpointError:
            saved, typed = False, typed + 1
        ballast.unlink()
        if problem := case.find(saved):
            found[f"{i} blocks left"] = problem
    return {"hits": number, "typed": typed, "room": room, "found": found}


if __name__ == "__main__":
    what, where, how_many = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    for name in ("warm-up", "whole"):
        (where / name).mkdir(parents=True, exist_ok=True)
    if what == "kill":
        result = save_under_fire(where, how_many, [None])
    elif what == "fail":
        result = save_under_fire(where, how_many, ERRORS)
    else:
        result = {"run": kill_a_run, "full": fill_the_disk}[what](where, how_many)
    print(json.dumps(result))
