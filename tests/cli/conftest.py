"""Commands run inside the test process, with their own cache folder and working folder."""

import os
import signal

import pytest
from minibert.kernels.cache import folder

from minibert.cli import main
from minibert.training import loop

folder()  # where kernels are kept is chosen before MINIBERT_CACHE names an empty folder: most are compiled already
RUN_A_MODEL = ("pretrain", "fill-mask", "generate", "gradcheck", "info", "finetune", "evaluate", "predict", "compare")


class Result:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def command(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("MINIBERT_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)

    def run(*argv, default_backend=False):
        argv = [str(a) for a in argv]
        if argv and argv[0] in RUN_A_MODEL and "--backend" not in argv and not default_backend:
            argv += ["--backend", "numpy"]  # compiling would take a minute
        try:
            code = main(argv)
        except SystemExit as exit:
            code = exit.code
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return run


SENTENCES = [
    "The quick brown fox jumps over the lazy dog.",
    "A cat sat on the mat and looked at the rain.",
    "Nobody knows why the old clock stopped at noon.",
    "She wrote a letter to her brother in the city.",
    "The river runs from the hills down to the sea.",
]


@pytest.fixture
def text(tmp_path):
    """Twelve documents of seven sentences."""
    documents = ["\n".join(SENTENCES[(d + s) % 5] for s in range(7)) for d in range(12)]
    path = tmp_path / "text.txt"
    path.write_text("\n\n".join(documents), encoding="utf-8")
    return path


@pytest.fixture
def pretrain(command, text):
    """`minibert pretrain` on the small text for a few steps."""

    def run(*more, corpus=text, out="run", **how):
        small = "--max_steps 4 --warmup_steps 1 --eval_every 2 --eval_batches 1 --batch_size 4 --seq_len 24".split()
        sizes = "--vocab_size 120 --log_every 2 --heldout 0.3".split()
        output = ["--output_dir", out] if out else []
        return command("pretrain", "--corpus", corpus, *output, *small, *sizes, *more, **how)

    return run


@pytest.fixture
def stop_at(monkeypatch):
    """Send this process a signal in the middle of a step, or let it die there, once."""

    def arm(step, number=signal.SIGTERM):
        right = loop.take_step

        def interrupted(*args):
            if args[5] == step:
                monkeypatch.setattr(loop, "take_step", right)
                if number is None:
                    raise RuntimeError("died")
                os.kill(os.getpid(), number)
            return right(*args)

        monkeypatch.setattr(loop, "take_step", interrupted)

    return arm
