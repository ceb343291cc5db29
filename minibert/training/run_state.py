"""What a checkpoint holds so that a run goes on as if it had never stopped, and how it is read back.

    config.json, model.safetensors   the model, as `save_pretrained` writes it, and its tokenizer's files
    parameters.safetensors           instead, what trains of a model that writes another format, by our names
    optimizer.safetensors            AdamW's running means, m.* and v.*
    progress.json                    the optimizer's step, the schedule's, the place in the data, what random numbers
                                     follow from, and the sums for the next line of the log
    trainer_state.json               the log so far, the best evaluation, what callbacks remember
    training_args.json               the options
    manifest.json                    sizes and sha256 of these: see `minibert.training.whole_folder`

No state of a random generator is among them: dropout follows from (seed, step), the batches from (seed, epoch).
"""

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from minibert.errors import CheckpointError
from minibert.fields import check_type, from_json, short
from minibert.files import read_object, write_json, write_whole
from minibert.frozen import trainable
from minibert.models.base import Model
from minibert.models.names import fill
from minibert.models.safetensors_file import read_tensors
from minibert.models.weights import read_weights
from minibert.training.callbacks import TrainerState
from minibert.training.checkpoints import save_model
from minibert.training.feed import Feed
from minibert.training.optimizer import AdamW
from minibert.training.progress import Progress
from minibert.training.run_folder import ARGUMENTS
from minibert.tree import copy_into, flatten

OPTIMIZER, PARAMETERS = "optimizer.safetensors", "parameters.safetensors"
PROGRESS, STATE = "progress.json", "trainer_state.json"
FORMAT = 1


@dataclass
class Place:
    """What `progress.json` holds: where a run is."""

    format: int
    optimizer: dict[str, int]  # {"t"}
    schedule: dict[str, float]  # {"step", "learning_rate"}
    data: dict[str, Any]  # of `Feed.place`
    random: dict[str, Any]
    progress: dict[str, Any]  # of `Progress.to_dict`


@dataclass
class Run:
    """All that moves while a run trains, and what tells it from other runs.

    Parameters
    ----------
    model, tokenizer : as for `save_model`
    optimizer : AdamW
    feed : Feed
    state : TrainerState
    arguments : dict
        The options, as JSON knows them.
    """

    model: Any
    optimizer: AdamW
    feed: Feed
    state: TrainerState
    arguments: dict[str, Any]
    tokenizer: Any = None

    def write(self, folder: Path, progress: Progress) -> None:
        """Write everything into a folder that is there."""
        save_model(folder, self.model, self.tokenizer)
        if not _has_our_format(self.model):
            _write_tensors(folder / PARAMETERS, flatten(trainable(self.model.params)))
        _write_tensors(folder / OPTIMIZER, self.optimizer.state())
        place = Place(
            format=FORMAT,
            optimizer={"t": self.optimizer.t},
            schedule={"step": progress.step, "learning_rate": self.optimizer.lr},
            data=self.feed.place(),
            random={name: self.arguments.get(name) for name in ("seed", "data_seed")},
            progress=progress.to_dict(),
        )
        write_json(folder / PROGRESS, vars(place))
        self.state.save_to_json(folder / STATE)
        write_json(folder / ARGUMENTS, self.arguments)

    def read(self, folder: Path, same_data: bool = True, threshold: float = 0.0) -> Progress:
        """Bring model, optimizer, feed and state to where they were, and return the progress.

        Parameters
        ----------
        folder : Path
            A checkpoint.
        same_data : bool
            Raise `DataError` if the data have changed.
        threshold : float
            Of `GradientNorms`.

        Raises
        ------
        CheckpointError
            If the checkpoint is of another model, or not one of a run.
        """
        place, where = read_place(folder), str(folder / PROGRESS)
        progress = Progress.from_dict(place.progress, threshold, where)
        state = TrainerState.load_from_json(folder / STATE)
        params = self.model.params if _has_our_format(self.model) else trainable(self.model.params)
        copy_into(flatten(params), parameters_in(folder, self.model), str(folder))
        means = {name: tensor.values() for name, tensor in read_tensors(folder / OPTIMIZER).items()}
        self.optimizer.load_state(means, place.optimizer["t"])
        self.optimizer.lr = place.schedule["learning_rate"]
        self.feed.go_to(place.data, same_data)
        self._take_over(state, folder)
        return progress

    def _take_over(self, saved: TrainerState, folder: Path) -> None:
        """The state is filled in place: callbacks hold on to it. The best checkpoint may have moved with this one."""
        for field in fields(saved):
            setattr(self.state, field.name, getattr(saved, field.name))
        if saved.best_model_checkpoint:
            self.state.best_model_checkpoint = str(folder.parent / Path(saved.best_model_checkpoint).name)


def read_place(folder: Path) -> Place:
    """Return what `progress.json` of a checkpoint says. Raises `CheckpointError` if it is not what `Run` writes."""
    path = folder / PROGRESS
    values = read_object(path)
    if values.get("format") != FORMAT:
        raise CheckpointError(f"{path}: has format {short(values.get('format'))}, this version reads {FORMAT}")
    place = from_json(Place, values, str(path))
    for name, value in (
        *(("optimizer.t", place.optimizer.get("t")), ("schedule.step", place.schedule.get("step"))),
        *(("data.epoch", place.data.get("epoch")), ("data.taken", place.data.get("taken"))),
    ):
        check_type(name, value, int, str(path))
        if value < 0:
            raise CheckpointError(f"{path}: {name} must not be negative, but is {value}")
    check_type("schedule.learning_rate", place.schedule.get("learning_rate"), float, str(path))
    return place


def parameters_in(folder: Path, model: Any) -> dict[str, np.ndarray]:
    """Return the parameters of a checkpoint by our dotted names; if the model writes another format, what trains.

    Raises
    ------
    CheckpointError
        If they are of another model.
    """
    if not _has_our_format(model):
        return {name: tensor.values() for name, tensor in read_tensors(folder / PARAMETERS).items()}
    loaded = model.find(read_weights(folder))
    for missing in loaded.missing.values():
        raise CheckpointError(f"{folder}: {missing} is missing: the checkpoint is of another model")
    return flatten(fill(model.params, loaded.flat, model.transposed))


def _has_our_format(model: Any) -> bool:
    """Whether the model's own files are enough to restore it."""
    return isinstance(model, Model) and type(model).save_pretrained is Model.save_pretrained


def _write_tensors(path: Path, tensors: dict[str, np.ndarray]) -> None:
    from safetensors.numpy import save

    contiguous = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    write_whole(path, lambda temporary: temporary.write_bytes(save(contiguous)))


def as_json(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the options as they come back from a file: a tuple as a list."""
    return json.loads(json.dumps(arguments, default=str))
