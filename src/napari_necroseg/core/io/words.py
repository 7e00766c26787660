"""The words that file names are made of, and what each can mean."""

import re
from enum import Enum, auto
from functools import lru_cache
from typing import NamedTuple
from unicodedata import normalize


class Kind(Enum):
    """What a word in a file's name speaks of."""

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


class Token(NamedTuple):
    """A word in lower case, and what it speaks of."""

    text: str
    kind: Kind


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
# Words whose parts would not be found by cutting them into known words.
COMPOUNDS = {
    "t1c": (Token("t1", Kind.T1), Token("c", Kind.CONTRAST)),
    "t1wc": (Token("t1w", Kind.T1), Token("c", Kind.CONTRAST)),
    "t1n": (Token("t1", Kind.T1), Token("n", Kind.PLAIN)),
    "t2f": (Token("t2", Kind.T2), Token("flair", Kind.OTHER)),
}
# Numbers, vertebral levels (L3, Th12) and versions say nothing about a role; T1 and T2 are sequences here.
COUNTER = re.compile(r"\d+|(c|th|t|l|s|v)\d{1,2}")
SEPARATORS = re.compile(r"[^0-9a-zäöüß+*]+|\+(?!c(?![a-z]))")
LONGEST_WORD = 40


def words_of(name: str) -> list[str]:
    """Split a name at whatever is neither letter nor digit, in lower case; ``T1+C`` becomes t1, +c."""
    spaced = re.sub(r"\+c(?![a-z])", " +c", normalize("NFC", name).lower())
    return [word for word in SEPARATORS.split(spaced) if word]


def tokens_of(name: str) -> tuple[Token, ...]:
    """Tell the meaning of each word of a name; joined words (``postContrastT1``) are taken apart."""
    tokens: list[Token] = []
    for word in words_of(name):
        tokens += meaning_of(word)
    return join_ablation_zone(tuple(tokens))


def meaning_of(word: str) -> tuple[Token, ...]:
    """Tell the meaning of a single word in lower case."""
    known = _cut(word) if len(word) <= LONGEST_WORD else None
    if known is None and not COUNTER.fullmatch(word):
        # A numbered structure: lesion1, mask02.
        known = _cut(word.rstrip("0123456789"))
    if known is not None:
        return known
    return (Token(word, Kind.NEUTRAL if COUNTER.fullmatch(word) else Kind.UNKNOWN),)


def is_vocabulary(word: str) -> bool:
    """Whether a word, without any number, is one that tells a role or surely tells nothing."""
    return len(word) <= LONGEST_WORD and _cut(word.lower()) is not None


def is_role_name(name: str) -> bool:
    """Whether a folder's name has no other words than such, like ``masks`` or ``T1ce``: it is no case."""
    words = words_of(name)
    return bool(words) and all(is_vocabulary(word) for word in words)


def join_ablation_zone(tokens: tuple[Token, ...]) -> tuple[Token, ...]:
    """Read "ablation zone", in two words, as the necrosis that it is."""
    joined: list[Token] = []
    for token in tokens:
        if joined and joined[-1].text == "ablation" and token.text in ("zone", "area"):
            joined[-1] = Token("ablationzone", Kind.NECROSIS)
        else:
            joined.append(token)
    return tuple(joined)


@lru_cache(maxsize=4096)
def _cut(word: str) -> tuple[Token, ...] | None:
    """Cut a word into known words, the longest first; None if that leaves a rest."""
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
