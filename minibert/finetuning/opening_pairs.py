"""A sentence encoder as what learns from pairs."""

from minibert.finetuning.tasks.pairs import SCORED
from minibert.sentence_encoder import SentenceEncoder
from minibert.sentence_encoder.pairs import MatchingPairs, ScoredPairs, SentencePairs


def open_pairs(source: str, names: list[str]) -> tuple[SentencePairs, str]:
    """Open a model that learns from pairs with scores, or from those without, and say which.

    Raises
    ------
    CheckpointError
        There is no such model, or it cannot encode sentences.
    """
    encoder = SentenceEncoder.from_pretrained(source)
    encoder.tokenizer.model_max_length = encoder.recipe.max_seq_length
    if names == [SCORED]:
        return ScoredPairs(encoder), "pairs with scores"
    return MatchingPairs(encoder), "pairs without scores, each text told from the others of its batch"
