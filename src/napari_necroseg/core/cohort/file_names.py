"""Judges by the name of a file which sequence or mask it holds, and of which file it may be a copy."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple
from unicodedata import normalize

# Words that mean contrast even without the name of a sequence; shorter ones such as "ce" need a T1 as well.
LONG_CONTRAST = ("contrast", "kontrast", "kontrastmittel", "gadolinium")

# Words that file managers and clouds add to the name of a copy, besides names of people and dates.
_COPY = """copy copies kopie kopien copia copias copie kopia kopi duplicate duplikat conflict conflicted
konflikt konfliktkopie desktop laptop"""

# Words that dcm2niix (_Eq_1, _Tilt_1, _ROI1) and programs that extract, correct or rescale images add.
_DERIVED = """eq tilt crop cropped moco real imaginary ph brain bet bet2 hdbet synthstrip ss stripped
skullstripped skullstrip extracted n4 n4itk bfc biascorr bias restore denoised dn smoothed norm normalised
normalized zscore standardised standardized defaced anonymised anonymized masked resliced reoriented flip
flipped"""
COPY_WORDS = frozenset(_COPY.split())
_ADDED_WORDS = COPY_WORDS | frozenset(_DERIVED.split())
_DERIVED_NUMBER = re.compile(r"roi[0-9]{1,3}")
_NUMBERED = re.compile(r"(?P<original>.*\S)\s*\([0-9]{1,3}\)")
_LETTERED = re.compile(r"(?P<original>.*[0-9a-zA-Z])[a-h]")

# For words such as ceT1brain.
_LONGEST_FIRST = sorted(_ADDED_WORDS, key=len, reverse=True)


class Kind(Enum):
    """The meaning of a word in the name of a file."""

    T1 = auto()
    T2 = auto()
    CONTRAST = auto()
    PLAIN = auto()
    NOT = auto()
    PRE = auto()
    POST = auto()
    TREATMENT = auto()
    OTHER = auto()
    DERIVED = auto()
    MASK = auto()
    NECROSIS = auto()
    TUMOUR = auto()
    NEUTRAL = auto()
    UNKNOWN = auto()


WORDS: dict[Kind, str] = {
    Kind.T1: "t1 t1w",
    Kind.T2: "t2 t2w",
    Kind.CONTRAST: "ce gd gad gado gadolinium km kontrast kontrastmittel contrast enhanced +c",
    Kind.PLAIN: "native nativ plain unenhanced noncontrast",
    Kind.NOT: "no non not without ohne",
    Kind.PRE: "pre before vor",
    Kind.POST: "post after nach",
    Kind.TREATMENT: "rfa ablation intervention therapy treatment op",
    Kind.OTHER: "flair stir tirm star map adc dwi swi dti perfusion pd pdw subtraction subtracted diff t1rho "
    "dce dsc localizer scout phase ct pet bold",
    Kind.DERIVED: "prediction predictions predicted pred probability prob uncertainty earlier backup bak old",
    Kind.MASK: "mask masks label labels labelmap seg segmentation segmentations dseg roi rois voi contour "
    "annotation annotations gt groundtruth",
    Kind.NECROSIS: "necrosis necroses necrotic necrose nekrose nekrosen nekrosis ablationzone reference",
    Kind.TUMOUR: "tumour tumor tumours tumors metastasis metastases metastase metastasen met mets lesion "
    "lesions gtv",
    Kind.NEUTRAL: "sag sagittal cor coronal ax axial tra transversal tse fse se fs fatsat 2d 3d space mprage "
    "vibe dixon image images img mri mr anat nifti manual expert final zone area raw orig original "
    "resampled registered coreg reg rater reader w",
}
KIND_OF_WORD = {word: kind for kind, words in WORDS.items() for word in words.split()}

# Numbers, vertebral levels (L3, Th12) and versions tell no role; T1 and T2 are sequences here.
COUNTER = re.compile(r"\d+|(c|th|t|l|s|v)\d{1,2}")
SEPARATORS = re.compile(r"[^0-9a-zäöüß+*]+|\+(?!c(?![a-z]))")
LONGEST_WORD = 40


class FileRole(StrEnum):
    """The role of a file in a case; files with the last five roles are not used."""

    CET1 = "ceT1"
    T2 = "T2"
    REFERENCE = "reference"
    TUMOUR = "tumour"
    NATIVE_T1 = "T1 without contrast"
    OTHER_IMAGE = "another sequence"
    OTHER_MASK = "a mask of something else"
    UNCLEAR = "unclear"
    VARIANT = "a copy of another file, or derived from it"


TAKEN_ROLES = (FileRole.CET1, FileRole.T2, FileRole.REFERENCE, FileRole.TUMOUR)
MASK_KINDS = {Kind.MASK, Kind.NECROSIS, Kind.TUMOUR}


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """The role that the name of a file tells."""

    # The role, or None if the name tells none.
    role: FileRole | None
    # Why the file is not used as a sequence or mask; empty if it is, or if the name tells nothing.
    reason: str = ""


NOTHING = Judgement(role=None)


def role_of(name: str) -> FileRole | None:
    """Return the sequence or mask that a file of this name (without suffix) certainly is, else None."""
    role = judge(tokens_of(name)).role
    return role if role in (*TAKEN_ROLES, FileRole.NATIVE_T1) else None


class Token(NamedTuple):
    """A word in lower case, and its meaning."""

    text: str
    kind: Kind


def judge(tokens: Iterable[Token]) -> Judgement:
    """Judge the words of a name.

    ``T1_Gd`` is ceT1; ``T1`` and ``T1_without_contrast`` are T1 without contrast, never ceT1;
    ``T2_mask`` is a mask, ``vertebrae_mask`` a mask of something else; ``T1_T2`` is unclear.
    """
    tokens = tuple(tokens)
    kinds = {token.kind for token in tokens}
    if Kind.DERIVED in kinds:
        return Judgement(role=FileRole.OTHER_MASK, reason="looks like a prediction or an earlier version")
    if kinds & MASK_KINDS:
        return _judge_mask(tokens, kinds)
    return _judge_image(tokens, kinds)


def _judge_mask(tokens: tuple[Token, ...], kinds: set[Kind]) -> Judgement:
    if Kind.MASK not in kinds and kinds & {Kind.T1, Kind.T2} and _last_kind(tokens) not in MASK_KINDS:
        return _unclear("is named for both a sequence and a structure, so it may be an image or a mask")
    if {Kind.NECROSIS, Kind.TUMOUR} <= kinds:
        return _unclear("is named for both necrosis and tumour, so it may be a mask of either")
    if Kind.TUMOUR in kinds:
        return Judgement(role=FileRole.TUMOUR)
    unknown = [token.text for token in tokens if token.kind is Kind.UNKNOWN]
    if unknown and Kind.NECROSIS not in kinds:
        return Judgement(
            role=FileRole.OTHER_MASK,
            reason=f"looks like a mask, but nothing says that {unknown[0]!r} is the necrosis zone",
        )
    return Judgement(role=FileRole.REFERENCE)


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
    return Judgement(role=FileRole.T2)


def _judge_t1(tokens: tuple[Token, ...], kinds: set[Kind], *, has_contrast: bool) -> Judgement:
    if has_contrast and Kind.PLAIN in kinds:
        return _unclear("is named both with and without contrast")
    if has_contrast and Kind.PRE in kinds:
        return _unclear("says 'pre', which may mean before contrast or before the ablation")
    if has_contrast:
        return Judgement(role=FileRole.CET1)
    # In a name that mentions the ablation, "post" means after that, and nothing about contrast.
    if Kind.POST in kinds and not _is_negated(tokens) and Kind.TREATMENT not in kinds:
        return _unclear("says 'post', which may mean after contrast or after the ablation")
    return Judgement(
        role=FileRole.NATIVE_T1,
        reason="looks like a T1 without contrast, which is not taken for ceT1",
    )


def _is_negated(tokens: tuple[Token, ...]) -> bool:
    """Whether a word such as "non" or "pre" stands right before the word for contrast."""
    return any(
        word.kind is Kind.CONTRAST and before.kind in (Kind.NOT, Kind.PRE)
        for before, word in pairwise(tokens)
    )


def _last_kind(tokens: tuple[Token, ...]) -> Kind | None:
    """Return the kind of the last word with a meaning."""
    silent = (Kind.NEUTRAL, Kind.UNKNOWN)
    return next((token.kind for token in reversed(tokens) if token.kind not in silent), None)


def _unclear(reason: str) -> Judgement:
    return Judgement(role=FileRole.UNCLEAR, reason=reason)


def _other_sequence(word: str) -> Judgement:
    return Judgement(role=FileRole.OTHER_IMAGE, reason=f"looks like another sequence ({word})")


def variants_among(names: Iterable[str], *, of_files: bool = False) -> dict[str, str]:
    """Find the names of copies and derived images.

    `names`: of the files of one folder, without their suffixes, or of folders in the same folder. `of_files`:
    whether the names are of files. Then a letter at the end may be an addition, too (dcm2niix makes ceT1a
    beside ceT1), and an addition may come first; a folder Brain-01 is no variant of 01.
    Returns for the name of each variant the name of its original, which is among `names`.
    """
    names = tuple(dict.fromkeys(names))
    of_words: dict[tuple[str, ...], str] = {}
    for name in names:
        of_words.setdefault(_words(name), name)
    found = {}
    for name in names:
        originals = (of_words.get(words) for words in _without_additions(name, of_files=of_files))
        original = next((one for one in originals if one is not None and one != name), None)
        if original is not None:
            found[name] = original
    return {name: found.get(original, original) for name, original in found.items()}


def has_additions(name: str) -> bool:
    """Whether a name has an addition that only copies and derived images have."""
    return next(_without_additions(name, of_files=True), None) is not None


def is_variants_folder(name: str) -> bool:
    """Whether a folder has the name of a kind of variant: ``Kopie``, ``bet``, ``T1 brain``."""
    words = _words(name)
    added = [word for word in words if _is_added(word)]
    return bool(added) and all(word in added or is_vocabulary(word) or word.isdecimal() for word in words)


def _without_additions(name: str, *, of_files: bool) -> Iterator[tuple[str, ...]]:
    """Yield the possible names of the original, as words; none for a name without additions."""
    numbered = _NUMBERED.fullmatch(name)
    if numbered:
        yield _words(numbered["original"])
        yield from _without_additions(numbered["original"], of_files=of_files)
    lettered = _LETTERED.fullmatch(name) if of_files else None
    if lettered and not is_vocabulary(words_of(name)[-1]):
        yield _words(lettered["original"])
    words = _words(name)
    indices = [index for index, word in enumerate(words) if _is_added(word)]
    if not indices or (indices == [0] and not of_files and words[0] not in COPY_WORDS):
        return
    for drops_numbers in (True, False):
        kept = [
            word
            for index, word in enumerate(words)
            if not _is_dropped(words, index, drops_numbers=drops_numbers)
        ]
        yield tuple(kept)
    # Next to "copy" there may be anything, such as an owner and a date.
    copies = [index for index in indices if words[index] in COPY_WORDS]
    if copies:
        yield from (words[:n] for n in range(copies[0], 0, -1))
        yield from (words[n:] for n in range(copies[-1] + 1, len(words)))


def _is_dropped(words: tuple[str, ...], index: int, *, drops_numbers: bool) -> bool:
    if _is_added(words[index]):
        return True
    follows = index > 0 and _is_added(words[index - 1])
    return drops_numbers and follows and bool(COUNTER.fullmatch(words[index]))


def _is_added(word: str) -> bool:
    return word in _ADDED_WORDS or _DERIVED_NUMBER.fullmatch(word) is not None


def _words(name: str) -> tuple[str, ...]:
    """Return the words of a name; an addition that is joined to a known word counts as its own word."""
    return tuple(part for word in words_of(name) for part in _parted(word))


def _parted(word: str) -> tuple[str, ...]:
    if is_vocabulary(word):
        return (word,)
    for added in _LONGEST_FIRST:
        head = word.removesuffix(added)
        if head and head != word and is_vocabulary(head):
            return (head, added)
    return (word,)


# Words that cannot be split into known words.
COMPOUNDS = {
    "t1c": (Token("t1", Kind.T1), Token("c", Kind.CONTRAST)),
    "t1wc": (Token("t1w", Kind.T1), Token("c", Kind.CONTRAST)),
    "t1n": (Token("t1", Kind.T1), Token("n", Kind.PLAIN)),
    "t2f": (Token("t2", Kind.T2), Token("flair", Kind.OTHER)),
}


def words_of(name: str) -> list[str]:
    """Split a name at whatever is neither letter nor digit, in lower case; ``T1+C`` becomes t1, +c."""
    spaced = re.sub(r"\+c(?![a-z])", " +c", normalize("NFC", name).lower())
    return [word for word in SEPARATORS.split(spaced) if word]


def tokens_of(name: str) -> tuple[Token, ...]:
    """Return the meaning of each word of a name; joined words (``postContrastT1``) are split."""
    tokens: list[Token] = []
    for word in words_of(name):
        tokens += meaning_of(word)
    return join_ablation_zone(tuple(tokens))


def meaning_of(word: str) -> tuple[Token, ...]:
    """Return the meaning of a single word in lower case."""
    known = _cut(word) if len(word) <= LONGEST_WORD else None
    if known is None and not COUNTER.fullmatch(word):
        # A numbered structure: lesion1, mask02.
        known = _cut(word.rstrip("0123456789"))
    if known is not None:
        return known
    return (Token(word, Kind.NEUTRAL if COUNTER.fullmatch(word) else Kind.UNKNOWN),)


def is_vocabulary(word: str) -> bool:
    """Whether a word, without any number, tells a role or certainly tells nothing."""
    return len(word) <= LONGEST_WORD and _cut(word.lower()) is not None


def is_role_name(name: str) -> bool:
    """Whether the name of a folder consists of such words only, like ``masks`` or ``T1ce``: it is no case."""
    words = words_of(name)
    return bool(words) and all(is_vocabulary(word) for word in words)


def join_ablation_zone(tokens: tuple[Token, ...]) -> tuple[Token, ...]:
    """Join the two words "ablation zone", which mean the necrosis."""
    joined: list[Token] = []
    for token in tokens:
        if joined and joined[-1].text == "ablation" and token.text in ("zone", "area"):
            joined[-1] = Token("ablationzone", Kind.NECROSIS)
        else:
            joined.append(token)
    return tuple(joined)


@lru_cache(maxsize=4096)
def _cut(word: str) -> tuple[Token, ...] | None:
    """Split a word into known words, the longest first; None if a rest is left."""
    if word in COMPOUNDS:
        return COMPOUNDS[word]
    if word in KIND_OF_WORD:
        return (Token(word, KIND_OF_WORD[word]),)
    for length in range(len(word) - 1, 1, -1):
        head = word[:length]
        if head in KIND_OF_WORD or head in COMPOUNDS:
            rest = _cut(word[length:])
            if rest is not None:
                return (*(_cut(head) or ()), *rest)
    return None
