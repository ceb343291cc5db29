"""Labelled examples as tables: readers, named data sets, and what one does with them before training.

It stands beside `data`, which turns running text into tokens; nothing here knows a tokenizer or a model.
"""

from minibert.datasets.dataset import Dataset
from minibert.datasets.dataset_dict import DatasetDict
from minibert.datasets.features import ClassLabel, Sequence, Value
from minibert.datasets.load import load_dataset

__all__ = ["ClassLabel", "Dataset", "DatasetDict", "Sequence", "Value", "load_dataset"]
