"""Mistakes that a user can act on: the message says what happened, with numbers, and what to do next."""


class NecrosegError(Exception):
    """A mistake that the user can mend; shown as one sentence, never as a traceback."""


class FileError(NecrosegError):
    """A file that is missing, foreign, damaged, or of a kind that this program refuses."""


class GeometryError(NecrosegError):
    """Voxels whose place in the patient is unknown, impossible, or contradicts another image."""


class CohortError(NecrosegError):
    """A table or folder of cases with a row that is wrong, missing or ambiguous."""


class SettingsError(NecrosegError):
    """A choice that is out of bounds or contradicts another choice."""


class ModelError(NecrosegError):
    """A trained model that is damaged, of another kind, or unfit for the case."""


class ResourceError(NecrosegError):
    """Too little memory, disk space or an absent device."""
