"""The reviews of the study: nested sets of labels, and texts cut to the tokens that say most."""

from typing import NamedTuple

import numpy as np

from minibert.datasets.dataset import Dataset
from minibert.datasets.dataset_dict import DatasetDict
from minibert.errors import DataError
from minibert.tokenizers.base import PretrainedTokenizer

Examples = list[dict]


class Reviews(NamedTuple):
    """Texts and labels by what they are used for. Only `train` is ever trained on, labelled or not."""

    train: Dataset
    validation: Dataset  # chooses among learning rates
    test: Dataset  # is looked at once, by the model that was chosen

    def labelled(self, labels: str) -> Dataset:
        """Return the training reviews whose labels may be used: "all", or so many, half of each class.

        Fewer labels are a part of more.
        """
        if labels == "all":
            return self.train
        classes, half = np.asarray(self.train["label"]), int(labels) // 2
        rows = [np.flatnonzero(classes == label)[:half] for label in (0, 1)]
        if min(map(len, rows)) < half:
            raise DataError(f"{labels} labels, half of each class, are more than the training reviews have")
        return self.train.select(np.sort(np.concatenate(rows)))


def choose_reviews(splits: DatasetDict, validation: int, test: int) -> Reviews:
    """Return the first `validation` and `test` reviews of these splits, which are shuffled, and all of `train`."""
    few = {name: splits[name].select(range(min(n, len(splits[name])))) for name, n in
           (("validation", validation), ("test", test))}  # fmt: skip
    return Reviews(splits["train"], **few)


def encode(reviews: Dataset, tokenizer: PretrainedTokenizer, max_length: int) -> Examples:
    """Return {input_ids, labels} of each review, at most `max_length` tokens: see `both_ends`."""
    rows = tokenizer(reviews["text"], add_special_tokens=False, return_attention_mask=False)["input_ids"]
    ends = tokenizer.cls_token_id, tokenizer.sep_token_id
    return [
        {"input_ids": [ends[0], *both_ends(ids, max_length - 2), ends[1]], "labels": int(label)}
        for ids, label in zip(rows, reviews["label"], strict=True)
    ]


def both_ends(ids: list[int], length: int) -> list[int]:
    """Return the first half and the last half of what does not fit: a verdict often comes last.

    Sun et al. 2019 (arXiv:1905.05583, section 5.3.1) found this better on reviews than the beginning alone.
    """
    head = (length + 1) // 2
    return ids if len(ids) <= length else ids[:head] + ids[len(ids) - (length - head) :]
