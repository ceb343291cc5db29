"""What memory a candidate takes to open and to predict a batch, in a process of its own.

Counted is the peak of the resident set beyond what it was before: after everything was imported, and after a very small
model has loaded the compiled kernels.
"""

from __future__ import annotations

import json
import platform
import tempfile
from pathlib import Path
from typing import Any

from minibert.bench.memory import peak, settle
from minibert.bench.process import answer
from minibert.bench.process import measure as in_process
from minibert.comparison.baseline import TfIdfBaseline
from minibert.comparison.candidates import Candidate


def candidate_memory(candidate: Candidate, inputs: list, backend: str) -> float | None:
    """Return the bytes; None where the system cannot tell."""
    if platform.system() == "Windows":
        return None
    with tempfile.TemporaryDirectory(prefix="minibert-") as folder:
        texts, fitted = Path(folder) / "inputs.json", Path(folder) / "baseline.npz"
        texts.write_text(json.dumps(inputs), encoding="utf-8")
        if isinstance(candidate.predict, TfIdfBaseline):
            fitted.write_bytes(candidate.predict.dumped())
        task = {"model": candidate.name, "inputs": str(texts), "fitted": str(fitted), "backend": backend}
        return in_process("minibert.comparison.memory", task)


def measure(model: str, inputs: str, fitted: str, backend: str) -> float:
    """Return the bytes, in this process."""
    texts = json.loads(Path(inputs).read_text(encoding="utf-8"))
    work = _baseline if Path(fitted).is_file() else _model
    return work(model, texts, Path(fitted), backend)


def _baseline(model: str, inputs: list, fitted: Path, backend: str) -> float:
    TfIdfBaseline(["one text", "another"], [0, 1])(["text"])  # imports what it needs
    before = settle()
    TfIdfBaseline.loaded(fitted.read_bytes())(inputs)
    return peak() - before


def _model(model: str, inputs: list, fitted: Path, backend: str) -> float:
    from minibert import dispatch
    from minibert.finetuning.opening import open_trained

    with dispatch.backend(backend):
        _warm_up()
        before = settle()
        open_trained(model)[0](inputs, len(inputs))
        return peak() - before


def _warm_up() -> None:
    from minibert.models.bert import BertConfig
    from minibert.models.bert_tasks import BertForSequenceClassification

    config = BertConfig(50, 16, 1, 2, 32, max_position_embeddings=16)
    batch: dict[str, Any] = {"input_ids": [[1, 2, 3], [4, 5, 0]], "attention_mask": [[1, 1, 1], [1, 1, 0]]}
    BertForSequenceClassification(config)(**batch)


if __name__ == "__main__":
    answer(measure)
