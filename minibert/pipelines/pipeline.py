"""`minibert.pipeline(task, model=folder)`: a trained model as a function of text."""

from pathlib import Path

from minibert.errors import ConfigError
from minibert.pipelines.feature_extraction import FeatureExtraction
from minibert.pipelines.fill_mask import FillMask
from minibert.pipelines.text_generation import TextGeneration

TASKS = {"fill-mask": FillMask, "text-generation": TextGeneration, "feature-extraction": FeatureExtraction}


def pipeline(task: str, model: str | Path) -> FillMask | TextGeneration | FeatureExtraction:
    """Return a function that does a task: what it returns has the structure that users of Hugging Face know.

    Parameters
    ----------
    task : {"fill-mask", "text-generation", "feature-extraction"}
    model : str or Path
        A run or checkpoint folder with its tokenizer. "feature-extraction" knows "all-minilm-l6-v2" by name too.

    Raises
    ------
    ConfigError
        If there is no such task.
    CheckpointError
        If the folder holds no model that can do it.
    """
    if task not in TASKS:
        raise ConfigError(f"no task named {task!r}: choose one of {', '.join(TASKS)}")
    return TASKS[task].from_pretrained(model)
