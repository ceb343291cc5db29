"""What every model offers: parameters, a loss with its gradients, and checkpoint folders."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike

from minibert.blocks.losses import LossPart
from minibert.dispatch import backward_once
from minibert.errors import CheckpointError, ConfigError, DataError
from minibert.files import make_folder
from minibert.frozen import trainable, wanted
from minibert.models.config import Config
from minibert.models.names import Loaded, NameTable, fill, from_hf, to_hf
from minibert.models.room import check_room
from minibert.models.safetensors_file import Stored
from minibert.models.shards import bytes_of, write_weights
from minibert.models.weights import read_weights, refuse_pickles
from minibert.ops import dropout_key
from minibert.tree import Tree, tree_size

if TYPE_CHECKING:
    from minibert.training.records import TrainOutput

DTYPES = ("float32", "float64")
BODY = ("embeddings", "encoder", "decoder", "final_norm")  # what no head can do without; heads may be missing
SHOWN = 5  # names in a message


class Losses(NamedTuple):
    """The loss of one batch and what it is the sum of."""

    total: float
    parts: dict[str, LossPart]  # "mlm", "nsp", ...


class Model:
    """Parameters (a tree of arrays) with a configuration. The mathematics is in pure functions.

    Parameters
    ----------
    config : Config
    seed : int or None
        Of the random initial parameters. None: no parameters, only their shapes, for a file to fill.
    dtype : {"float32", "float64"}
        float32 to train, float64 to check.
    """

    config_class: ClassVar[type[Config]]
    transposed: ClassVar[bool] = True  # do the checkpoint's weights have the layout (out, in)?

    def __init__(self, config: Config, seed: int | None = 0, dtype: str | type = "float32") -> None:
        self.config = config
        self.dtype = _float_type(dtype)
        check_room(type(self).__name__, config.weight_count(), self.dtype.itemsize)
        self.params = self.init_params(None if seed is None else np.random.default_rng(seed))

    # What a model defines -------------------------------------------------------------------

    def init_params(self, rng: np.random.Generator | None) -> Tree:
        """Return random initial parameters; without a generator, arrays of their shapes that take no memory."""
        raise NotImplementedError

    def name_table(self) -> NameTable:
        """Return the checkpoint's names of our parameters."""
        raise NotImplementedError

    def forward_loss(self, batch: dict[str, Any], key: int | None, counts: dict[str, int]) -> tuple[Losses, Any]:
        """Return the losses of a batch, and the cache for `backward`."""
        raise DataError(f"{type(self).__name__} has no loss: use a class with a head")

    def backward(self, cache: Any) -> Tree:
        """Return the gradients of the total loss: a tree like `params`."""
        raise NotImplementedError

    def count_targets(self, batch: dict[str, Any]) -> dict[str, int]:
        """Return how many targets each loss has in a batch: see `target_counts` of `loss_and_grads`."""
        raise NotImplementedError

    # What it gets ---------------------------------------------------------------------------

    def losses_and_grads(
        self,
        batch: dict[str, Any],
        dropout: tuple[int, int] | None = None,
        target_counts: dict[str, int] | None = None,
    ) -> tuple[Losses, Tree]:
        """Like `loss_and_grads`, for a batch as a dict, and with the parts of the loss."""
        key = None if dropout is None else dropout_key(*dropout)
        losses, cache = self.forward_loss(batch, key, target_counts or {})
        with backward_once():
            return losses, wanted(self.backward(cache), self.params)

    def loss_and_grads(
        self,
        *,
        dropout_key: tuple[int, int] | None = None,
        target_counts: dict[str, int] | None = None,
        **batch: Any,
    ) -> tuple[float, Tree]:
        """One step's mathematics: the loss of a batch and its gradient by every parameter.

        Parameters
        ----------
        dropout_key : (seed, step), optional
            Which units to drop. None: no dropout.
        target_counts : dict, optional
            {"mlm": n, "nsp": n}: what each loss is divided by, instead of the number of targets
            in this batch. Give the counts of the whole batch to its parts, and their losses
            and gradients add up to those of the whole.
        **batch
            The arrays that a call of the model takes, labels among them.

        Returns
        -------
        loss : float
        grads : tree
            Of the shape of `params`; what is Frozen is left out (see `minibert.frozen`).
        """
        losses, grads = self.losses_and_grads(batch, dropout_key, target_counts)
        return losses.total, grads

    def fit(self, encodings: Mapping[str, Any], labels: ArrayLike, **options: Any) -> TrainOutput:
        """Train on what a tokenizer returned for texts, and their labels: see `minibert.training.fit.fit`."""
        from minibert.training.fit import fit  # upwards, for convenience: the mathematics needs no trainer

        return fit(self, encodings, labels, **options)

    def num_parameters(self) -> int:
        """Return the number of scalars in all parameters."""
        return tree_size(self.params)

    def num_trainable_parameters(self) -> int:
        """Return the number of scalars that may train: those that are not Frozen."""
        return tree_size(trainable(self.params))

    def to_hf(self, tree: Tree | None = None) -> dict[str, np.ndarray]:
        """Return a tree of the shape of `params` (by default `params`) under Hugging Face's names and layouts."""
        return to_hf(self.params if tree is None else tree, self.name_table(), self.transposed)

    def save_pretrained(
        self, folder: str | Path, tokenizer: Any = None, max_shard_size: int | str | None = None
    ) -> None:
        """Write `config.json` and `model.safetensors`; Hugging Face's class of the same name opens them.

        Parameters
        ----------
        folder : str or Path
        tokenizer : PretrainedTokenizer, optional
            Its files are written beside: `tokenizer.json`, `tokenizer_config.json` and the vocabulary.
        max_shard_size : int or str, optional
            Larger weights are written in shards of at most so many bytes, or so much as "5GB", with an index.

        Raises
        ------
        DataError
            If the tokenizer has ids that the model does not have.
        ConfigError
            If there is a file of that name, or `max_shard_size` is no size.
        """
        if tokenizer is not None:
            check_vocabulary(tokenizer, self.config)
        largest, weights = bytes_of(max_shard_size), self.to_hf()  # what is refused leaves no folder behind
        folder = make_folder(folder)
        self.config.save_pretrained(folder, architectures=[type(self).__name__], dtype=self.dtype.name)
        write_weights(folder, weights, largest)
        if tokenizer is not None:
            tokenizer.save_pretrained(folder)

    @classmethod
    def from_pretrained(
        cls,
        folder: str | Path,
        dtype: str | type = "float32",
        *,
        ignore_mismatched_sizes: bool = False,
        output_loading_info: bool = False,
        **changes: Any,
    ) -> Self | tuple[Self, dict[str, list[str]]]:
        """Open a checkpoint folder: `config.json`, and the weights in one file or in shards.

        Weights in half precision, float16 or bfloat16, are converted to `dtype`. A missing head is initialised
        at random, with a warning that names it; another names tensors that no class of the family knows.

        Parameters
        ----------
        folder : path
        dtype : {"float32", "float64"}
        ignore_mismatched_sizes : bool
            Initialise a head at random if that of the file has another size.
        output_loading_info : bool
            Also return {"missing_keys": [...], "unexpected_keys": [...]}: names of tensors that the files lack, and
            of those that this class has no use for, known or not.
        **changes
            Fields of the configuration that go before what the file says, for example `num_labels`.

        Raises
        ------
        CheckpointError
            If a file is missing or broken, or a tensor is missing or of another shape.
        ConfigError
            If a value in `config.json` cannot work, or the model would not fit into the memory of the machine.
        """
        folder = Path(folder)
        if not folder.is_dir():
            refuse_pickles(folder)
        model = cls(cls.config_class.from_pretrained(folder, **changes), seed=None, dtype=dtype)
        tensors = read_weights(folder)
        loaded = model.find(model.fitting(tensors) if ignore_mismatched_sizes else tensors)
        _report(folder, cls.__name__, loaded)
        if loaded.missing:
            model.params = model.init_params(np.random.default_rng(0))
        model.params = fill(model.params, loaded.flat, model.transposed)
        info = {"missing_keys": sorted(loaded.missing.values()), "unexpected_keys": loaded.unexpected}
        return (model, info) if output_loading_info else model

    def fitting(self, tensors: dict[str, Stored]) -> dict[str, Stored]:
        """Return a checkpoint's tensors without those of another shape than ours of that name."""
        ours = {name: tensor.shape for name, tensor in self.to_hf().items()}
        return {name: tensor for name, tensor in tensors.items() if ours.get(name, tensor.shape) == tensor.shape}

    def find(self, tensors: dict[str, Stored]) -> Loaded:
        """Find our parameters among a checkpoint's tensors."""
        return from_hf(tensors, self.name_table(), self.params, self.transposed)


def check_vocabulary(tokenizer: Any, config: Config) -> None:
    """Raise `DataError` if a tokenizer has ids that a model does not have; between them there may be gaps."""
    tokens = 1 + max(tokenizer.get_vocab().values(), default=-1)
    if tokens > config.vocab_size:
        raise DataError(
            f"the tokenizer has {tokens} tokens, but the model only {config.vocab_size} (vocab_size): they do not "
            "belong together"
        )


def _report(folder: Path, name: str, loaded: Loaded) -> None:
    """Say what was not in the files, and what was there for nobody."""
    body = [theirs for ours, theirs in loaded.missing.items() if ours.split(".")[0] in BODY]
    if body:
        raise CheckpointError(f"{folder}: {len(body)} parameters are missing, for example {body[0]}")
    if loaded.missing:
        missing = ", ".join(loaded.missing)
        warnings.warn(f"{folder}: initialised at random, not in the file: {missing}", stacklevel=3)
    if loaded.unknown:
        unknown = ", ".join(loaded.unknown[:SHOWN] + ["..."] * (len(loaded.unknown) > SHOWN))
        warnings.warn(
            f"{folder}: left out, no parameters of a {name}: {len(loaded.unknown)} tensors ({unknown})", stacklevel=3
        )


def _float_type(dtype: str | type) -> np.dtype:
    try:
        name = np.dtype(dtype).name
    except TypeError:
        name = str(dtype)
    if name not in DTYPES:
        raise ConfigError(f"dtype must be one of {', '.join(DTYPES)}, but is {name}")
    return np.dtype(name)
