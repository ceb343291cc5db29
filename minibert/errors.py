"""The errors a user can cause. Each says what is wrong, where, and what to do about it.

The command line prints them as one line and exits with code 2; anything else that is raised is
a bug of minibert and keeps its traceback.
"""

LONGEST_MESSAGE = 1000  # characters


class MinibertError(Exception):
    """Base of all errors that a user can mend."""

    def __str__(self) -> str:
        """Return the message, which may quote from a file, and so could be of any length."""
        text = super().__str__()
        return text if len(text) <= LONGEST_MESSAGE else f"{text[: LONGEST_MESSAGE - 3]}..."


class ConfigError(MinibertError, ValueError):
    """A setting, or a combination of settings, that cannot work."""


class DataError(MinibertError, ValueError):
    """A corpus, a tokenizer or a batch that cannot be used as it is."""


class CheckpointError(MinibertError):
    """A run folder or a weight file that is missing, incomplete, or does not fit."""


class BackendError(MinibertError):
    """An unknown backend, or a cache of one backend handed to the other's backward."""


class MissingExtraError(MinibertError, ImportError):
    """A feature needs packages of an optional extra that is not installed."""


class TraceError(MinibertError, LookupError):
    """A place in a model at which no op ran, or a replacement that does not fit there."""


class TrainingError(MinibertError, ArithmeticError):
    """Training cannot go on, for example because the loss is not a number."""


class TrainingStopped(KeyboardInterrupt):
    """A signal, `number`, stopped the training, which was saved before. No mistake, so no MinibertError."""

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.number = number
