"""Sentences as vectors: Sentence-BERT (Reimers & Gurevych 2019, arXiv:1908.10084)."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from minibert.blocks.cosines import EPS
from minibert.blocks.packed import runs_of
from minibert.blocks.text_vectors import text_vectors
from minibert.data.released_models import model_folder
from minibert.dispatch import no_grad
from minibert.errors import CheckpointError, DataError
from minibert.finetuning.lora import without_low_rank
from minibert.models.auto import AutoConfig
from minibert.models.base import check_vocabulary
from minibert.models.bert import BertModel
from minibert.models.bodies import BODIES, open_body
from minibert.models.packed_bert import packed_bert
from minibert.models.tokenizer_beside import open_tokenizer_of
from minibert.ops import l2_normalise
from minibert.sentence_encoder.batches import batches_by_length
from minibert.sentence_encoder.recipe import Recipe, read_recipe, write_recipe
from minibert.sentence_encoder.similarity import cosine_similarity
from minibert.tokenizers.auto import with_face
from minibert.tree import Tree

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from minibert.tokenizers.base import PretrainedTokenizer
    from minibert.training.callbacks import TrainerCallback
    from minibert.training.records import TrainOutput


class SentenceEncoder:
    """BERT or RoBERTa, and one vector out of its tokens': their mean, made as long as one if the checkpoint says so.

    Parameters
    ----------
    model : BertModel or RobertaModel
    tokenizer : PretrainedTokenizer or tokenizers.Tokenizer
    recipe : Recipe
        How to pool, whether to normalise, and after how many tokens to cut.
    """

    def __init__(
        self, model: BertModel, tokenizer: PretrainedTokenizer | Tokenizer, recipe: Recipe | None = None
    ) -> None:
        recipe = recipe or Recipe()
        self.model = model
        self.tokenizer = with_face(tokenizer)
        check_vocabulary(self.tokenizer, model.config)
        most = min(self.tokenizer.model_max_length, model.config.max_length)
        self.recipe = recipe._replace(max_seq_length=min(recipe.max_seq_length or most, most))

    @classmethod
    def from_pretrained(cls, model: str | Path, dtype: str = "float32") -> SentenceEncoder:
        """Open a folder of sentence-transformers, any other checkpoint of BERT or RoBERTa, or a model by its name.

        A folder without `modules.json` gets mean pooling and no normalisation.

        Parameters
        ----------
        model : str or Path
            A folder, or a name such as "all-minilm-l6-v2", which is fetched once.
        dtype : {"float32", "float64"}

        Raises
        ------
        CheckpointError
            If there is no such folder or name, or it holds something else.
        DataError
            If it cannot be fetched, or its tokenizer cannot be used, or has ids that the model does not have.
        """
        folder = model_folder(model)
        recipe, config = read_recipe(folder), AutoConfig.from_pretrained(folder)
        if not issubclass(BODIES[config.model_type], BertModel):
            raise CheckpointError(f"{folder}: a {config.model_type} model cannot do this, it takes bert or roberta")
        tokenizer = open_tokenizer_of(config, folder)
        return cls(open_body(folder, dtype), tokenizer, recipe)

    def save_pretrained(self, folder: str | Path) -> None:
        """Write a folder that `from_pretrained` and sentence-transformers open; LoRA is merged into what is written."""
        folder = Path(folder)
        without_low_rank(getattr(self.model, "base_model", self.model)).save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
        write_recipe(self.recipe, folder, self.model.config.hidden_size)

    def encode(
        self,
        sentences: str | Sequence[str],
        batch_size: int | None = None,
        show_progress_bar: bool = False,
        normalize_embeddings: bool = False,
    ) -> np.ndarray:
        """Return the vectors of sentences. What becomes of one does not depend on the others.

        Parameters
        ----------
        sentences : str or sequence of str
        batch_size : int, optional
            Sentences at a time. None: as many as have about a thousand tokens together. Batches are never padded.
        show_progress_bar : bool
        normalize_embeddings : bool
            Make every vector as long as one, even if the checkpoint does not say so.

        Returns
        -------
        array (N, D), or (D,) for a single str
            In the order of the sentences. Those that are longer than `max_seq_length` tokens are cut, with a warning.
        """
        one = isinstance(sentences, str)
        rows = self.tokens([sentences] if one else sentences)
        vectors = np.empty((len(rows), self.model.config.hidden_size), self.model.dtype)  # (N, D)
        with no_grad(), tqdm(total=len(rows), unit="sentence", disable=not show_progress_bar) as bar:
            for batch in batches_by_length([len(row) for row in rows], batch_size):
                vectors[batch] = self._pool([rows[i] for i in batch])
                bar.update(len(batch))
        if self.recipe.normalise or normalize_embeddings:
            vectors, _ = l2_normalise(vectors, EPS)
        return vectors[0] if one else vectors

    def similarity(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Return the cosines of vectors a (N, D) and b (M, D): (N, M)."""
        return cosine_similarity(a, b)

    def fit(
        self,
        pairs: Sequence[tuple[str, str]],
        scores: Sequence[float] | None = None,
        validation_data: Any = None,
        scale: float = 20.0,
        callbacks: Iterable[TrainerCallback | type] | None = None,
        **options: Any,
    ) -> TrainOutput:
        """Train on pairs of texts, so that the cosine says how alike the two of a pair are.

        Parameters
        ----------
        pairs : sequence of (str, str)
        scores : sequence of float, optional
            How alike the two are, within -1..1: see `cosine_regression_loss` of `minibert.blocks.pair_losses`. None:
            the two of each pair belong together, and with the texts of other pairs they do not: see
            `contrastive_loss` there. It learns more from large batches, in which no text stands twice.
        validation_data : pairs, or (pairs, scores) if there are scores, optional
            Evaluated after each epoch: the loss, and with scores the correlations `eval_pearson` and `eval_spearman`.
        scale : float
            For pairs without scores: what cosines are multiplied with.
        callbacks : list of TrainerCallback, optional
        **options
            Of `TrainingArguments`. Unless they say otherwise nothing is written; a checkpoint is what
            `save_pretrained` writes.

        Raises
        ------
        DataError
            If a pair is not two texts, or the scores do not fit.
        ConfigError
            If pairs without scores would be alone in their batch.
        """
        from minibert.sentence_encoder.fit import fit_pairs

        return fit_pairs(self, pairs, scores, validation_data, scale, callbacks, **options)

    def loss_and_grads(
        self,
        pairs: Sequence[tuple[str, str]],
        scores: Sequence[float] | None = None,
        scale: float = 20.0,
        dropout_key: tuple[int, int] | None = None,
    ) -> tuple[float, Tree]:
        """Return the loss that `fit` minimises, of these pairs as one batch, and its gradients by `model.params`.

        Parameters
        ----------
        pairs, scores, scale
            As for `fit`.
        dropout_key : (seed, step), optional
            Which units to drop. None: no dropout.
        """
        from minibert.sentence_encoder.fit import pair_batch, pairs_model

        batch = pair_batch(self, pairs, scores)
        return pairs_model(self, scores, scale).loss_and_grads(**batch, dropout_key=dropout_key)

    def tokens(self, sentences: Iterable[str]) -> list[list[int]]:
        """Return the ids of each sentence, cut to `max_seq_length` with a warning."""
        sentences = list(sentences)
        for i, sentence in enumerate(sentences):
            if not isinstance(sentence, str):
                raise DataError(
                    f"sentence {i} is of type {type(sentence).__name__}, not str: give str or a list of str"
                )
        most = self.recipe.max_seq_length
        batch = self.tokenizer(sentences, truncation=True, max_length=most)
        cut = sum(bool(encoding.overflowing) for encoding in batch.encodings)
        if cut:
            warnings.warn(
                f"{cut} of {len(sentences)} sentences are longer than the {most} tokens (max_seq_length) that this "
                "encoder takes: what stands behind was cut off",
                stacklevel=3,
            )
        return batch["input_ids"]

    def _pool(self, rows: list[list[int]]) -> np.ndarray:
        """rows of ids, the shortest first  ->  one vector each (B, D), not normalised."""
        runs = runs_of(np.array([len(row) for row in rows]))
        ids = np.fromiter(chain.from_iterable(rows), np.int64)  # (N,)
        hidden = packed_bert(self.model, ids, runs)  # (N, D)
        states = (run.batch(hidden) for run in runs)  # (B_r, T_r, D) each
        return np.concatenate([text_vectors(x, None, self.recipe.pooling)[0] for x in states])  # (B, D)
