"""The tasks by name, and the class of each kind of model that does it."""

from minibert.models.bert_tasks import (
    BertForMultipleChoice,
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertForTokenClassification,
)
from minibert.models.gpt2_tasks import GPT2ForSequenceClassification
from minibert.models.roberta_tasks import (
    RobertaForMultipleChoice,
    RobertaForQuestionAnswering,
    RobertaForSequenceClassification,
    RobertaForTokenClassification,
)
from minibert.models.task_model import TaskModel

TASKS: dict[str, dict[str, type[TaskModel]]] = {  # task -> model_type -> class
    "sequence-classification": {
        "bert": BertForSequenceClassification,
        "roberta": RobertaForSequenceClassification,
        "gpt2": GPT2ForSequenceClassification,
    },
    "token-classification": {"bert": BertForTokenClassification, "roberta": RobertaForTokenClassification},
    "question-answering": {"bert": BertForQuestionAnswering, "roberta": RobertaForQuestionAnswering},
    "multiple-choice": {"bert": BertForMultipleChoice, "roberta": RobertaForMultipleChoice},
}
