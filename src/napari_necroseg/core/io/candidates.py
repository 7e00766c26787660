"""The image files that might belong to a case, before anything is decided."""

from dataclasses import dataclass, field
from pathlib import Path

from napari_necroseg.core.io.naming import NOTHING, Judgement, Role

# Roles of files that are no images of a patient, as far as their names tell.
MASK_ROLES = (Role.REFERENCE, Role.TUMOUR, Role.OTHER_MASK, Role.VARIANT, None)


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A file, and what its name says."""

    path: Path
    judgement: Judgement = NOTHING

    @property
    def role(self) -> Role | None:
        """The role that the name tells."""
        return self.judgement.role


@dataclass(frozen=True, kw_only=True)
class Group:
    """The files that might belong to one case.

    Parameters
    ----------
    name
        What the case would be called.
    long_name
        Its name with those of the folders above, for where two cases have the same name.
    files
        All files of the group.
    patient
        The patient, where the layout tells.
    """

    name: str
    long_name: str
    files: tuple[Candidate, ...]
    patient: str = ""

    def of_role(self, role: Role) -> list[Path]:
        """The files that could have this role."""
        return [one.path for one in self.files if one.role is role]

    @property
    def has_image(self) -> bool:
        """Whether any file is, or might be, an image that masks can be of."""
        return any(one.role not in MASK_ROLES for one in self.files)

    @property
    def has_role(self) -> bool:
        """Whether any file is, or might be, what a case is made of; else the folder is no case."""
        return any(one.role not in (None, Role.OTHER_MASK, Role.VARIANT) for one in self.files)


@dataclass(frozen=True, kw_only=True)
class Sorted:
    """What a layout makes of a folder; `problems` and `unused` are about files of no group."""

    groups: list[Group] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    unused: list[Path] = field(default_factory=list)
