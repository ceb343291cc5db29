"""Run folders and checkpoints, to go on from and to look at."""

import json
import shutil

import numpy as np
from hostile.damage import labelled
from hostile.reader import LONG, Reader, bytes_in, entry_in, file_cases, json_cases, swaps
from hostile.weights import HEADERS

import minibert
from minibert.cli.resume import with_options_of
from minibert.training.arguments import PretrainArguments
from minibert.training.callbacks import TrainerState
from minibert.training.checkpoints import good_checkpoint
from minibert.training.feed import Feed
from minibert.training.log import LOG
from minibert.training.optimizer import AdamW
from minibert.training.progress import Progress
from minibert.training.run_state import OPTIMIZER, PROGRESS, STATE, Run
from minibert.training.whole_folder import MANIFEST, write_folder
from minibert.tree import flatten
from minibert.view.curves import read_curves

CHECKPOINT, ARGUMENTS, WEIGHTS = "checkpoint-2", "training_args.json", "model.safetensors"
INSIDE = [f"{CHECKPOINT}/{name}" for name in (PROGRESS, STATE, ARGUMENTS, WEIGHTS, OPTIMIZER, "config.json")]
RECORDS = [
    {"step": 1, "loss": 2.5, "clm_loss": 2.5, "clm_accuracy": 0.1, "grad_norm": 1.0, "tokens_per_second": 100.0},
    {"step": 2, "eval_loss": 2.4, "eval_clm_loss": 2.4, "eval_clm_accuracy": 0.2, "eval_unigram_loss": 2.6},
]


def new_run():
    config = minibert.GPT2Config(11, n_positions=9, n_embd=6, n_layer=1, n_head=3)
    model = minibert.GPT2LMHeadModel(config)
    feed = Feed(lambda epoch: iter(np.random.default_rng((1, epoch)).permutation(5).tolist()))
    return Run(model, AdamW(model.params), feed, TrainerState(), PretrainArguments().to_dict())


def make(folder):
    run, progress = new_run(), Progress()
    _, grads = run.model.loss_and_grads(input_ids=np.array([[1, 2, 3]]), labels=np.array([[1, 2, 3]]))
    for step in (1, 2):
        run.optimizer.step(grads)
        next(run.feed)
        progress.take(step, minibert.models.base.Losses(2.5, {}), 1.0, 3)
    run.state.log_history = [dict(record) for record in RECORDS]
    run.state.best_model_checkpoint = str(folder / CHECKPOINT)
    write_folder(folder / CHECKPOINT, lambda path: run.write(path, progress))
    (folder / LOG).write_text("".join(f"{json.dumps(record)}\n" for record in RECORDS))


def sealed_again(folder):
    """A stranger writes a manifest that fits: then the files themselves must be refused."""
    checkpoint = folder / CHECKPOINT

    def fill(path):
        shutil.copytree(checkpoint, path, dirs_exist_ok=True, ignore=shutil.ignore_patterns(MANIFEST))

    if all(path.is_file() and path.lstat().st_size < 2**30 for path in checkpoint.iterdir()):
        write_folder(checkpoint, fill)


def read(folder, name):
    """The run goes on from numbers that are numbers, and its log can be drawn."""
    if name == LOG:
        steps, evaluations, part = read_curves(folder)
        assert all(isinstance(r["step"], int) and isinstance(r[f"{part}_loss"], int | float) for r in steps)
        assert all(isinstance(r[f"eval_{part}_loss"], int | float) for r in evaluations)
        return
    checkpoint = good_checkpoint(folder, lambda text: None)
    defaults = {field.name: getattr(PretrainArguments(), field.name) for field in PretrainArguments.options()}
    PretrainArguments(**with_options_of(checkpoint, defaults, PretrainArguments.options()))
    minibert.AutoConfig.from_pretrained(checkpoint)
    run = new_run()
    progress = run.read(checkpoint)
    assert progress.step >= 0
    assert type(run.optimizer.t) is int
    assert isinstance(run.optimizer.lr, int | float)
    assert all(isinstance(record, dict) for record in run.state.log_history)
    assert all(array.dtype == "f4" for array in flatten(run.model.params).values())
    progress.window.means()
    progress.norms.limit()
    progress.take(progress.step + 1, minibert.models.base.Losses(2.5, {}), 1.0, 3)
    next(run.feed)


def sealed(change):
    """A change behind which the manifest is made anew."""
    name, damage = change

    def both(folder):
        damage(folder)
        sealed_again(folder)

    return name, both


def nested_swaps(folder):
    """Hostile values one level down in `progress.json`, and in the entries of the manifest."""
    for name, seal in ((f"{CHECKPOINT}/{PROGRESS}", True), (f"{CHECKPOINT}/{MANIFEST}", False)):
        good = json.loads((folder / name).read_text())
        for outer in good:
            for inner in good[outer] if isinstance(good[outer], dict) else ():
                for label, value in labelled().items():
                    case = entry_in(name, outer, {**good[outer], inner: value})
                    yield f"{name}: {outer}.{inner} = {label}", sealed(case) if seal else case


def manifests(good):
    """{name: bytes} of manifests that name other files."""
    entry = json.loads(good)[PROGRESS]
    names = ["../x", "/etc/passwd", "a/../../x", "a\\b", "a\0b", "A" * 5000, "", ".", "..", "nothing", "\ud800", "~"]
    cases = {f"lists {n!r:.20}": json.dumps({**json.loads(good), n: entry}).encode() for n in names}
    many = {f"{i}.json": entry for i in range(100_000)}
    return cases | {
        "lists 100,000 files": json.dumps(many).encode(),
        "on one line": json.dumps(json.loads(good)).encode(),
    }


def logs():
    """{name: bytes} of what is no log."""
    good = "".join(f"{json.dumps(record)}\n" for record in RECORDS).encode()
    return {
        "nothing": b"",
        "no JSON": b"{\n" + good,
        "a list": b"[]\n" + good,
        "a number": b"3\n" + good,
        "no step": b"{}\n" + good,
        "a step that is a text": b'{"step": "1"}\n' + good,
        "a step beyond 64 bits": b'{"step": 1%b}\n' % (b"0" * 400) + good,
        "a loss that is a text": b'{"step": 1, "loss": "2"}\n' + good,
        "a loss that is a list": b'{"step": 1, "eval_clm_loss": [2]}\n' + good,
        "a key twice": b'{"step": 1, "step": 2}\n' + good,
        "no evaluation": b'{"step": 1, "loss": 2}\n',
        "lists in each other": b"[" * 100_000 + b"\n" + good,
        "a million empty lists": b'{"step": 1, "a": [' + b"[]," * 10**6 + b"[]]}\n" + good,
        "bytes that are no UTF-8": b"\xff\n" + good,
        "a byte order mark": b"\xef\xbb\xbf" + good,
        "UTF-16": good.decode().encode("utf-16"),
        "NULs": bytes(1000) + b"\n" + good,
        "a line cut off in the middle": good[:50] + b"\n" + good,
        # read all the same
        "its last line cut off": good + good[:50],
        "Windows line ends": good.replace(b"\n", b"\r\n"),
        "a loss that is NaN": b'{"step": 1, "loss": NaN}\n' + good,
    }


def run_reader(folder):
    make(folder)
    progress, state, arguments, weights, optimizer, config = INSIDE
    cases, swapped, accepted = {}, {}, {}
    for name in (state, progress, arguments, config):
        cases |= {what: sealed(case) for what, case in json_cases(name)}
        swapped |= {what: sealed(case) for what, case in swaps(folder, name, "unknown")}
    for name in (weights, optimizer):
        cases |= {what: sealed(case) for what, case in file_cases(name)}
        cases |= {f"{name}: {what}": sealed(bytes_in(name, data)) for what, data in HEADERS.items()}
        whole = (folder / name).read_bytes()
        cases |= {f"{name}: cut at {n}": sealed(bytes_in(name, whole[:n])) for n in range(0, len(whole), 100)}
    manifest = f"{CHECKPOINT}/{MANIFEST}"
    cases |= dict(json_cases(manifest)) | dict(file_cases(LOG))
    cases |= {f"{manifest}: {w}": bytes_in(manifest, d) for w, d in manifests((folder / manifest).read_bytes()).items()}
    cases |= {f"{LOG}: {what}": bytes_in(LOG, data) for what, data in logs().items()}
    swapped |= dict(nested_swaps(folder)) | dict(swaps(folder, manifest))
    accepted |= {f"{LOG}: {name}": "a killed process leaves it; Python writes it" for name in list(logs())[-3:]}
    accepted[f"{state}: {LONG}"] = "the log of a long run is as long"
    return Reader(make, read, [*INSIDE, manifest, LOG], cases, accepted, swapped, seal=sealed_again)
