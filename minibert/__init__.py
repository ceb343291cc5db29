"""minibert: transformer pre-training from scratch in NumPy, every backward pass by hand."""

from minibert.datasets import ClassLabel, Dataset, DatasetDict, load_dataset
from minibert.dispatch import backend, get_backend, no_grad, set_backend, watch
from minibert.errors import MinibertError
from minibert.finetuning.methods import adapt
from minibert.finetuning.peft_config import LoraConfig, PromptTuningConfig
from minibert.finetuning.peft_model import PeftModel, get_peft_model
from minibert.models.auto import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForMultipleChoice,
    AutoModelForPreTraining,
    AutoModelForQuestionAnswering,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
)
from minibert.models.bert import BertConfig, BertModel
from minibert.models.bert_heads import BertForMaskedLM, BertForNextSentencePrediction, BertForPreTraining
from minibert.models.bert_tasks import (
    BertForMultipleChoice,
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertForTokenClassification,
)
from minibert.models.gpt import OpenAIGPTConfig, OpenAIGPTLMHeadModel, OpenAIGPTModel
from minibert.models.gpt2 import GPT2Config, GPT2LMHeadModel, GPT2Model
from minibert.models.gpt2_tasks import GPT2ForSequenceClassification
from minibert.models.roberta import RobertaConfig, RobertaForMaskedLM, RobertaModel
from minibert.models.roberta_tasks import (
    RobertaForMultipleChoice,
    RobertaForQuestionAnswering,
    RobertaForSequenceClassification,
    RobertaForTokenClassification,
)
from minibert.pipelines.pipeline import pipeline
from minibert.sentence_encoder import SentenceEncoder
from minibert.tokenizers import AutoTokenizer, BertTokenizer, CharTokenizer, GPT2Tokenizer, RobertaTokenizer
from minibert.tracing import trace
from minibert.training.best_model import EarlyStoppingCallback
from minibert.training.callbacks import TrainerCallback
from minibert.training.collate import DataCollatorWithPadding
from minibert.training.optimizer import AdamW
from minibert.training.prediction import EvalPrediction
from minibert.training.trainer import Trainer
from minibert.training.training_arguments import TrainingArguments

__version__ = "0.1.0"

__all__ = [
    "AdamW",
    "AutoConfig",
    "AutoModel",
    "AutoModelForCausalLM",
    "AutoModelForMaskedLM",
    "AutoModelForMultipleChoice",
    "AutoModelForPreTraining",
    "AutoModelForQuestionAnswering",
    "AutoModelForSequenceClassification",
    "AutoModelForTokenClassification",
    "AutoTokenizer",
    "BertConfig",
    "BertForMaskedLM",
    "BertForMultipleChoice",
    "BertForNextSentencePrediction",
    "BertForPreTraining",
    "BertForQuestionAnswering",
    "BertForSequenceClassification",
    "BertForTokenClassification",
    "BertModel",
    "BertTokenizer",
    "CharTokenizer",
    "ClassLabel",
    "DataCollatorWithPadding",
    "Dataset",
    "DatasetDict",
    "EarlyStoppingCallback",
    "EvalPrediction",
    "GPT2Config",
    "GPT2ForSequenceClassification",
    "GPT2LMHeadModel",
    "GPT2Model",
    "GPT2Tokenizer",
    "LoraConfig",
    "MinibertError",
    "OpenAIGPTConfig",
    "OpenAIGPTLMHeadModel",
    "OpenAIGPTModel",
    "PeftModel",
    "PromptTuningConfig",
    "RobertaConfig",
    "RobertaForMaskedLM",
    "RobertaForMultipleChoice",
    "RobertaForQuestionAnswering",
    "RobertaForSequenceClassification",
    "RobertaForTokenClassification",
    "RobertaModel",
    "RobertaTokenizer",
    "SentenceEncoder",
    "Trainer",
    "TrainerCallback",
    "TrainingArguments",
    "adapt",
    "backend",
    "get_backend",
    "get_peft_model",
    "load_dataset",
    "no_grad",
    "pipeline",
    "set_backend",
    "trace",
    "watch",
]
