"""Python threads that train at once, and processes that are forked."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAYERS = ["omp", "workqueue"]

TRAINING = """
import hashlib, threading
import numpy as np, minibert, numba
from minibert.tree import flatten

minibert.set_backend("numba")
config = minibert.BertConfig.named("bert-tiny", vocab_size=211, hidden_size=64, intermediate_size=96)

def train(seed, results):
    model = minibert.BertForPreTraining(config, seed=seed)
    optimizer = minibert.AdamW(model.params, lr=1e-3, weight_decay=0.01)
    ids = np.random.default_rng(seed).integers(0, 211, (8, 48))
    for key in [(seed, 0), (seed, 1), (seed, 2)]:
        loss, grads = model.loss_and_grads(input_ids=ids, labels=ids, next_sentence_label=[0, 1] * 4, dropout_key=key)
        optimizer.step(grads, max_grad_norm=1.0)
    results[seed] = hashlib.sha256(b"".join(a.tobytes() for a in flatten(model.params).values())).hexdigest()

alone, together = {}, {}
if FIRST == "alone":
    for seed in (1, 2):
        train(seed, alone)
threads = [threading.Thread(target=train, args=(seed, together)) for seed in (1, 2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
for seed in (1, 2):
    train(seed, alone)
assert len(together) == 2 and alone == together, (alone, together)
assert alone[1] != alone[2]
print(numba.threading_layer())
"""

FORK = """
import os, sys
import numpy as np, minibert, numba
from minibert.errors import BackendError
from minibert.kernels import threads
from minibert.ops import gelu

x = np.linspace(-2, 2, 100_000).astype(np.float32)
minibert.set_backend("numba")
expected = gelu(x)[0]
child = os.fork()
if child == 0:
    try:
        same = np.array_equal(gelu(x)[0], expected)
        result = "works" if same else "wrong"
    except BackendError as error:
        assert "spawn" in str(error)
        with minibert.backend("numpy"):
            np.testing.assert_allclose(gelu(x)[0], expected, atol=1e-6)
        result = "refused"
    print(result, flush=True)
    os._exit(0)
_, status = os.waitpid(child, 0)
assert status == 0, status
assert np.array_equal(gelu(x)[0], expected)  # the parent goes on
fork_unsafe = numba.threading_layer() == "omp" and threads._is_gnu()
print("refused" if fork_unsafe else "works")
"""


def run(script, layer):
    environment = {**os.environ, "NUMBA_THREADING_LAYER": layer, "NUMBA_NUM_THREADS": "2"}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, cwd=ROOT, capture_output=True, text=True, timeout=500
    )
    if "No threading layer could be loaded" in done.stderr:
        pytest.skip(f"no threading layer {layer} here")
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("first", ["alone", "together"])
def test_two_threads_train_as_each_would_alone(layer, first):
    """`together` first: both threads come upon kernels that are not loaded yet."""
    assert run(TRAINING.replace("FIRST", repr(first)), layer) == [layer]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.parametrize("layer", LAYERS)
def test_a_forked_process_computes_or_is_told_why_not(layer):
    found, expected = run(FORK, layer)
    assert found == expected
