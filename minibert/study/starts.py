"""What the models of the study begin with: nothing, our own pre-training, or somebody else's long one."""

import json
import os
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from minibert.data.released_models import model_folder
from minibert.datasets.dataset import Dataset
from minibert.files import write_whole
from minibert.finetuning.methods import adapt
from minibert.finetuning.peft_config import LoraConfig, PromptTuningConfig
from minibert.finetuning.peft_model import get_peft_model
from minibert.models.base import Model
from minibert.models.bert import BertConfig
from minibert.study.mean_classifier import BertMeanClassifier
from minibert.study.recipes import DROPOUT, LORA, VIRTUAL_TOKENS

PRETRAINING, MATCHED, TEXT = "pretraining", "matched", "unlabelled.jsonl"
RATES = {"hidden_dropout_prob": DROPOUT, "attention_probs_dropout_prob": DROPOUT}

Pretrain = Callable[[Path, Path], Any]  # what to learn from, a folder for the checkpoint


def pretrained_folder(folder: Path, train: Dataset, pretrain: Pretrain, match: Pretrain) -> Path:
    """Return the folder of our own pre-trained model; pre-train it on the training texts if it is not there.

    `pretrain` makes a first checkpoint of a file with the training texts, `match` a second of the first one. Neither
    gets another text, nor a label. What one of them did not finish is begun anew.
    """
    text = folder / TEXT
    if not text.exists():
        lines = "".join(json.dumps({"text": text}) + "\n" for text in train["text"])
        write_whole(text, lambda path: path.write_text(lines, encoding="utf-8"))
    first = _finished(folder / PRETRAINING, lambda into: pretrain(text, into))
    return _finished(folder / MATCHED, lambda into: match(first, into))


def _finished(folder: Path, make: Callable[[Path], Any]) -> Path:
    """Let `make` fill a folder, unless it was filled before."""
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    if not folder.is_dir():
        shutil.rmtree(unfinished, ignore_errors=True)
        make(unfinished)
        os.replace(unfinished, folder)
    return folder


def start_model(start: str, folder: Path, seed: int) -> BertMeanClassifier:
    """Return the model that a cell begins with. `folder` is that of our own pre-trained model, or of MiniLM."""
    if start == "scratch":  # the same size and tokens as what is pre-trained
        return BertMeanClassifier(BertConfig.from_pretrained(folder, **RATES), seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*initialised at random, not in the file: task_head")
        return BertMeanClassifier.from_pretrained(folder, **RATES)


def minilm_folder() -> Path:
    """Return the folder of all-MiniLM-L6-v2, fetched if need be."""
    return model_folder("all-minilm-l6-v2")


def adapted(model: BertMeanClassifier, method: str, seed: int) -> Model:
    """Return the model with what `method` trains; the classifier trains in each."""
    if method == "lora":
        return get_peft_model(model, LoraConfig(**LORA, task_type="SEQ_CLS"), seed)
    if method == "prompt":
        config = PromptTuningConfig(
            num_virtual_tokens=VIRTUAL_TOKENS, prompt_tuning_init="SAMPLE_VOCAB", task_type="SEQ_CLS"
        )
        return get_peft_model(model, config, seed)
    return adapt(model, {"full": "full", "features": "head"}[method])
