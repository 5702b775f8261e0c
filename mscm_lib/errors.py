"""Errors that a user can act on.

Every message names the file or key, what was expected, and what to do about it.
"""


class StudyError(Exception):
    """Base of every error that this library raises on purpose."""


class ConfigError(StudyError, ValueError):
    """A parameter is unknown, of the wrong type, out of range, or impossible in combination."""


class DataError(StudyError, ValueError):
    """A dataset, image, split file or packed array is missing, damaged or inconsistent."""


class ProtocolError(StudyError, ValueError):
    """What was handed to an evaluator or a loss does not fit together."""


class CheckpointError(StudyError, ValueError):
    """Weights or a training state that do not belong to the run at hand, or are damaged."""


class TrainingError(StudyError, RuntimeError):
    """Training cannot go on: a non-finite loss, a lost worker."""


class StorageError(StudyError, OSError):
    """A file could not be written: full disk, missing permission."""
