"""Models without a head: what a checkpoint knows before it is asked for anything in particular."""

import warnings
from pathlib import Path

from minibert.models.base import Model
from minibert.models.bert import BertModel
from minibert.models.families import family_of_folder
from minibert.models.gpt import OpenAIGPTModel
from minibert.models.gpt2 import GPT2Model
from minibert.models.roberta import RobertaModel

BODIES = {model.config_class.model_type: model for model in (BertModel, RobertaModel, GPT2Model, OpenAIGPTModel)}
NO_POOLER = r".*not in the file: pooler\.weight, pooler\.bias$"


def open_body(folder: str | Path, dtype: str = "float32") -> Model:
    """Open a checkpoint folder as the model without a head, for its hidden states.

    Nothing is said if it has no pooler, which those do not need.

    Raises
    ------
    CheckpointError
        If the folder holds no model that is known.
    """
    model = BODIES[family_of_folder(folder).name]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", NO_POOLER)
        return model.from_pretrained(folder, dtype)
