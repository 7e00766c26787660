"""What a file's name says about its content: which sequence, which mask, or nothing certain."""

import re
from enum import StrEnum

from napari_necroseg.core.case import Sequence


class Role(StrEnum):
    """What a file can be in a case."""

    CET1 = "ceT1"
    T2 = "T2"
    REFERENCE = "reference"
    TUMOUR = "tumour"
    NATIVE_T1 = "T1 without contrast"


ROLE_OF_SEQUENCE = {Sequence.CET1: Role.CET1, Sequence.T2: Role.T2}

# Words of a name are compared without case and separators; the first group that fits wins.
CONTRAST = r"(ce|gd|gad|gado|gadolinium|km|kontrast|contrast|enhanced|post|postcontrast|c)"
ROLE_WORDS: tuple[tuple[Role, str], ...] = (
    (Role.CET1, rf"cet1w?|t1w?{CONTRAST}|t1w?[+]c"),
    (Role.T2, r"t2w?|t2tse|tset2"),
    (
        Role.REFERENCE,
        r"necrosis|necrose|nekrose|reference|ablation|ablationzone|mask|label|labels|seg|segmentation|roi",
    ),
    (Role.TUMOUR, r"tumou?r|metastas[ie]s|metastase|lesion|gtv"),
    (Role.NATIVE_T1, r"t1w?|t1tse|tset1"),
)
IMAGE_ROLES = (Role.CET1, Role.T2, Role.NATIVE_T1)


def role_of(name: str) -> Role | None:
    """What a file with this name (without its suffix) is; None where the name does not say.

    A T1 without a word for contrast is `Role.NATIVE_T1`, never ceT1. ``mask_tumour`` is a tumour,
    ``T1_post`` is ceT1, ``T2_mask`` is a mask.
    """
    words = words_of(name)
    found = {role for role, pattern in ROLE_WORDS for word in words if re.fullmatch(pattern, word)}
    if Role.NATIVE_T1 in found and any(re.fullmatch(CONTRAST, word) for word in words):
        found = (found - {Role.NATIVE_T1}) | {Role.CET1}
    if Role.TUMOUR in found:
        return Role.TUMOUR if not any(word.startswith(("necro", "nekro")) for word in words) else None
    if Role.REFERENCE in found:
        return Role.REFERENCE
    # Both sequences in one name, such as T1_T2_fused: the name does not say.
    if len(found & {Role.CET1, Role.T2, Role.NATIVE_T1}) != 1:
        return None
    return found.pop()


def case_part(name: str) -> str:
    """What is left of a name without the words that tell its role: the case, in a folder of many cases."""
    pieces = re.split(r"([_\-. ]+)", name)
    kept = [piece for piece in pieces[::2] if not _tells_role(piece)]
    return "_".join(piece for piece in kept if piece)


def words_of(name: str) -> list[str]:
    """The words of a name in lower case, split at separators."""
    return [word for word in re.split(r"[_\-. ()]+", name.lower()) if word]


def _tells_role(word: str) -> bool:
    patterns = [pattern for _, pattern in ROLE_WORDS] + [CONTRAST]
    return any(re.fullmatch(pattern, word.lower()) for pattern in patterns)
