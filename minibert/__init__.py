"""minibert: transformer pre-training from scratch in NumPy, every backward pass by hand."""

from minibert.dispatch import backend, get_backend, set_backend, watch
from minibert.errors import MinibertError
from minibert.models.bert import BertConfig, BertModel
from minibert.models.bert_heads import BertForMaskedLM, BertForNextSentencePrediction, BertForPreTraining
from minibert.training.optimizer import AdamW

__version__ = "0.1.0"

__all__ = [
    "AdamW",
    "BertConfig",
    "BertForMaskedLM",
    "BertForNextSentencePrediction",
    "BertForPreTraining",
    "BertModel",
    "MinibertError",
    "backend",
    "get_backend",
    "set_backend",
    "watch",
]
