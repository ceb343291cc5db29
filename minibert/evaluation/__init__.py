"""How good is a model: metrics with their confidence intervals, and held-out losses of pre-training.

Every metric takes the truth first: `f1(labels, predictions)`, `exact_match(answers, predictions)`.
"""

from minibert.evaluation.accuracy import accuracy
from minibert.evaluation.answers import exact_match, token_f1
from minibert.evaluation.bootstrap import Interval, bootstrap, paired_bootstrap
from minibert.evaluation.calibration import calibration_error
from minibert.evaluation.correlation import pearson, spearman
from minibert.evaluation.counts import confusion_matrix
from minibert.evaluation.entities import entity_f1, entity_scores
from minibert.evaluation.perplexity import perplexity, pseudo_perplexity
from minibert.evaluation.precision_recall_f1 import f1, precision, recall

__all__ = [
    "Interval",
    "accuracy",
    "bootstrap",
    "calibration_error",
    "confusion_matrix",
    "entity_f1",
    "entity_scores",
    "exact_match",
    "f1",
    "paired_bootstrap",
    "pearson",
    "perplexity",
    "precision",
    "pseudo_perplexity",
    "recall",
    "spearman",
    "token_f1",
]
