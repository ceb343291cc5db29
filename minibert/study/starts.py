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
from minibert.finetuning.methods import adapt
from minibert.finetuning.peft_config import LoraConfig, PromptTuningConfig
from minibert.finetuning.peft_model import get_peft_model
from minibert.models.base import Model
from minibert.models.bert import BertConfig
from minibert.study.mean_classifier import BertMeanClassifier
from minibert.study.recipes import DROPOUT, LORA, VIRTUAL_TOKENS

PRETRAINING, TEXT = "pretraining", "unlabelled.jsonl"
RATES = {"hidden_dropout_prob": DROPOUT, "attention_probs_dropout_prob": DROPOUT}

Pretrain = Callable[[Path, Path], Any]  # a file of text, a folder for the checkpoint


def pretrained_folder(folder: Path, train: Dataset, pretrain: Pretrain) -> Path:
    """Return the folder of our own pre-trained model; pre-train it on the training texts if it is not there.

    `pretrain` never sees another text, nor a label. What it did not finish is begun anew.
    """
    done, unfinished = folder / PRETRAINING, folder / f"{PRETRAINING}.unfinished"
    if not done.is_dir():
        shutil.rmtree(unfinished, ignore_errors=True)
        text = folder / TEXT
        text.write_text("".join(json.dumps({"text": text}) + "\n" for text in train["text"]), encoding="utf-8")
        pretrain(text, unfinished)
        os.replace(unfinished, done)
    return done


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
