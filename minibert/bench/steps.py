"""Whole training steps: forward, backward, clipping, AdamW. All sides get the same batch."""

import functools
import importlib
import os
import time
from importlib.util import find_spec

import numpy as np

from minibert import dispatch
from minibert.bench.optimizer_case import MAX_GRAD_NORM, SETTINGS
from minibert.bench.sizes import Sizes
from minibert.bench.timing import PAUSE, Side
from minibert.models.base import Model
from minibert.models.bert_heads import BertForPreTraining
from minibert.models.gpt2 import GPT2LMHeadModel
from minibert.training.optimizer import AdamW

SMALL = ("bert-tiny", "bert-mini", "gpt2-nano")  # models whose step in NumPy is worth waiting for


def side_names(model: str, torch: bool) -> list[str]:
    """Return the sides of a model's step that can be measured here."""
    names = ["kernels"] + (["numpy"] if model in SMALL else [])
    if torch:
        names += ["torch"] + (["huggingface"] if find_spec("transformers") else [])
    return names


def random_batch(sizes: Sizes) -> dict[str, np.ndarray]:
    """Return ids without padding: of which each predicts the next, or 15 % are to be predicted, in pairs."""
    rng = np.random.default_rng(0)
    B, T = sizes.batch_size, sizes.seq_len
    ids = rng.integers(0, sizes.vocab_size, (B, T))
    if sizes.causal:
        return {"input_ids": ids, "labels": ids}
    labels = np.full(B * T, -100)
    masked = rng.permutation(B * T)[: sizes.predicted]
    labels[masked] = ids.reshape(-1)[masked]
    return {
        "input_ids": ids,
        "token_type_ids": np.tile((np.arange(T) > T // 2).astype(np.int64), (B, 1)),
        "labels": labels.reshape(B, T),
        "next_sentence_label": rng.integers(0, 2, B),
    }


def step_variants(name: str, sizes: Sizes, threads: list[int]) -> dict[str, Side]:
    """Return the ways that a side knows to take the step; running one takes a step and returns the loss."""
    config, batch = sizes.config(), random_batch(sizes)
    if name in ("torch", "huggingface"):
        theirs = importlib.import_module("minibert.bench.torch_gpt2" if sizes.causal else "minibert.bench.torch_bert")
        variants = theirs.our_variants if name == "torch" else theirs.hugging_face_variants
        return variants(config, batch, threads)
    model = (GPT2LMHeadModel if sizes.causal else BertForPreTraining)(config)
    return {"": minibert_step(model, batch, {"kernels": "numba"}.get(name, name))}


def minibert_step(model: Model, batch: dict[str, np.ndarray], backend: str) -> Side:
    """Return our step on a backend. Every step draws its dropout anew."""
    optimizer = AdamW(model.params, **SETTINGS)

    def run() -> float:
        loss, grads = model.loss_and_grads(**batch, dropout_key=(0, optimizer.t))
        optimizer.step(grads, MAX_GRAD_NORM)
        return loss

    return Side(run, functools.partial(dispatch.set_backend, backend))


def thread_counts() -> list[int]:
    """Return the numbers of threads to try: 1, 2, 4, ... and all cores."""
    cores = available_cores()
    return sorted({*(1 << i for i in range(cores.bit_length())), cores})


def available_cores() -> int:
    """Return how many cores this process may use, or as many as OMP_NUM_THREADS allows."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    allowed = os.environ.get("OMP_NUM_THREADS", "")
    return min(cores, int(allowed)) if allowed.isdigit() and int(allowed) else cores


def fastest(variants: dict[str, Side], tries: int = 2) -> tuple[str, Side]:
    """Return the variant whose best try is the fastest, with its name."""
    best = {}
    for name, side in variants.items():
        side.prepare()
        time.sleep(PAUSE)
        side.run()
        times = []
        for _ in range(tries):
            start = time.perf_counter()
            side.run()
            times.append(time.perf_counter() - start)
        best[name] = min(times)
    name = min(best, key=best.get)
    return name, variants[name]
