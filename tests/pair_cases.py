"""Sentence encoders that learn from pairs, each with a batch: what the ladder's tests share."""

from sentence_cases import make

from minibert.models.bert import BertModel
from minibert.sentence_encoder.fit import pair_batch
from minibert.sentence_encoder.pairs import MatchingPairs, ScoredPairs
from minibert.sentence_encoder.recipe import Recipe

PAIRS = [
    ("A cat sat.", "The lazy cat sat on the mat."),
    ("The quick brown fox jumps.", "A dog."),
    ("The mat.", "The mat."),
]
SCORES = [0.7, -0.3, 1.0]
CASES = [  # body, pooling, loss
    ("bert", "mean", "cosine"),
    ("bert", "mean", "contrastive"),
    ("bert", "cls", "contrastive"),
    ("roberta", "mean", "contrastive"),
    ("roberta", "cls", "cosine"),
]


def build(kind, pooling, loss, dtype="float64"):
    """The model in float64 whose weights are larger than in training, and its batch, with padding."""
    encoder = make(kind, dtype, Recipe(pooling, True))
    if loss == "cosine":
        return ScoredPairs(encoder), pair_batch(encoder, PAIRS, SCORES)
    return MatchingPairs(encoder, scale=5.0), pair_batch(encoder, PAIRS)


def without_pooler(params):
    """What a sentence encoder uses of a body."""
    assert set(params) == {"embeddings", "encoder", *BertModel.parts}
    return {name: part for name, part in params.items() if name != "pooler"}
