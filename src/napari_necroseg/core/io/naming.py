"""What a file's name says about its content: which sequence, which mask, or nothing certain."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from napari_necroseg.core.io.words import Kind, Token, tokens_of


class Role(StrEnum):
    """What a file can be in a case; the last five are not taken for anything."""

    CET1 = "ceT1"
    T2 = "T2"
    REFERENCE = "reference"
    TUMOUR = "tumour"
    NATIVE_T1 = "T1 without contrast"
    OTHER_IMAGE = "another sequence"
    OTHER_MASK = "a mask of something else"
    UNCLEAR = "unclear"
    VARIANT = "a copy of another file, or derived from it"


TAKEN_ROLES = (Role.CET1, Role.T2, Role.REFERENCE, Role.TUMOUR)
MASK_KINDS = {Kind.MASK, Kind.NECROSIS, Kind.TUMOUR}
# Words that say "contrast" without the name of a sequence; shorter ones, such as "ce", need a T1 beside them.
LONG_CONTRAST = ("contrast", "kontrast", "kontrastmittel", "gadolinium")


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What a name says.

    Parameters
    ----------
    role
        The role, or None where the name says nothing about one.
    reason
        Why the file is not taken for a sequence or mask; empty where it is, or where nothing is said.
    """

    role: Role | None
    reason: str = ""


NOTHING = Judgement(role=None)


def role_of(name: str) -> Role | None:
    """Sequence or mask that a file with this name (without suffix) is for certain; else None."""
    role = judge(tokens_of(name)).role
    return role if role in (*TAKEN_ROLES, Role.NATIVE_T1) else None


def judge(tokens: Iterable[Token]) -> Judgement:
    """Judge the words of a name.

    ``T1_Gd`` is ceT1; ``T1`` and ``T1_without_contrast`` are T1 without contrast, never ceT1;
    ``T2_mask`` is a mask, ``vertebrae_mask`` a mask of something else; ``T1_T2`` is unclear.
    """
    tokens = tuple(tokens)
    kinds = {token.kind for token in tokens}
    if Kind.DERIVED in kinds:
        return Judgement(role=Role.OTHER_MASK, reason="looks like a prediction or an earlier version")
    if kinds & MASK_KINDS:
        return _judge_mask(tokens, kinds)
    return _judge_image(tokens, kinds)


def _judge_mask(tokens: tuple[Token, ...], kinds: set[Kind]) -> Judgement:
    if Kind.MASK not in kinds and kinds & {Kind.T1, Kind.T2} and _last_kind(tokens) not in MASK_KINDS:
        return _unclear("is named for both a sequence and a structure, so it may be an image or a mask")
    if {Kind.NECROSIS, Kind.TUMOUR} <= kinds:
        return _unclear("is named for both necrosis and tumour, so it may be a mask of either")
    if Kind.TUMOUR in kinds:
        return Judgement(role=Role.TUMOUR)
    unknown = [token.text for token in tokens if token.kind is Kind.UNKNOWN]
    if unknown and Kind.NECROSIS not in kinds:
        return Judgement(
            role=Role.OTHER_MASK,
            reason=f"looks like a mask, but nothing says that {unknown[0]!r} is the necrosis zone",
        )
    return Judgement(role=Role.REFERENCE)


def _judge_image(tokens: tuple[Token, ...], kinds: set[Kind]) -> Judgement:
    if {Kind.T1, Kind.T2} <= kinds:
        return _unclear("is named for both T1 and T2, so it may be either")
    long_contrast = any(token.text in LONG_CONTRAST for token in tokens)
    if not (kinds & {Kind.T1, Kind.T2} or (Kind.CONTRAST in kinds and long_contrast)):
        other = next((token.text for token in tokens if token.kind is Kind.OTHER), None)
        return _other_sequence(other) if other else NOTHING
    if Kind.OTHER in kinds:
        return _other_sequence(next(token.text for token in tokens if token.kind is Kind.OTHER))
    has_contrast = Kind.CONTRAST in kinds and not _is_negated(tokens)
    if Kind.T2 not in kinds:
        return _judge_t1(tokens, kinds, has_contrast=has_contrast)
    if has_contrast:
        return _unclear("looks like a T2 after contrast; the method takes the native T2")
    return Judgement(role=Role.T2)


def _judge_t1(tokens: tuple[Token, ...], kinds: set[Kind], *, has_contrast: bool) -> Judgement:
    if has_contrast and Kind.PLAIN in kinds:
        return _unclear("is named both with and without contrast")
    if has_contrast and Kind.PRE in kinds:
        return _unclear("says 'pre', which may mean before contrast or before the ablation")
    if has_contrast:
        return Judgement(role=Role.CET1)
    # Where the name speaks of the ablation, "post" is after that; it says nothing about contrast.
    if Kind.POST in kinds and not _is_negated(tokens) and Kind.TREATMENT not in kinds:
        return _unclear("says 'post', which may mean after contrast or after the ablation")
    return Judgement(
        role=Role.NATIVE_T1,
        reason="looks like a T1 without contrast, which is not taken for ceT1",
    )


def _is_negated(tokens: tuple[Token, ...]) -> bool:
    """Whether a word such as "non" or "pre" stands right before the word for contrast."""
    return any(
        word.kind is Kind.CONTRAST and before.kind in (Kind.NOT, Kind.PRE)
        for before, word in pairwise(tokens)
    )


def _last_kind(tokens: tuple[Token, ...]) -> Kind | None:
    """Kind of the last word that says anything."""
    silent = (Kind.NEUTRAL, Kind.UNKNOWN)
    return next((token.kind for token in reversed(tokens) if token.kind not in silent), None)


def _unclear(reason: str) -> Judgement:
    return Judgement(role=Role.UNCLEAR, reason=reason)


def _other_sequence(word: str) -> Judgement:
    return Judgement(role=Role.OTHER_IMAGE, reason=f"looks like another sequence ({word})")
