"""Copies of a file, and images derived from it, told by what their names add to that of the original."""

import re
from collections.abc import Iterable, Iterator

from napari_necroseg.core.io.words import COUNTER, is_vocabulary, words_of

# What file managers and clouds write into the name of a copy, besides names of people and dates.
_COPY = """copy copies kopie kopien copia copias copie kopia kopi duplicate duplikat conflict conflicted
konflikt konfliktkopie desktop laptop"""
# What dcm2niix (_Eq_1, _Tilt_1, _ROI1) and programs that extract, correct or rescale add to that of an image.
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


def variants_among(names: Iterable[str], *, of_files: bool = False) -> dict[str, str]:
    """Find which of these names are those of copies or derived images.

    Parameters
    ----------
    names
        Of the files of one folder, without their suffixes, or of folders beside each other.
    of_files
        In those of files a letter at the end may be an addition, too (dcm2niix makes ceT1a beside ceT1), and
        an addition may stand before all else; a folder called Brain-01 is no variant of 01.

    Returns
    -------
    dict
        By the name of each variant that of its original, which is one of the names, too.
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
    """Whether a name has something that only those of copies and derived images have."""
    return next(_without_additions(name, of_files=True), None) is not None


def is_variants_folder(name: str) -> bool:
    """Whether a folder is called like what it holds variants of: ``Kopie``, ``bet``, ``T1 brain``."""
    words = _words(name)
    added = [word for word in words if _is_added(word)]
    return bool(added) and all(word in added or is_vocabulary(word) or word.isdecimal() for word in words)


def _without_additions(name: str, *, of_files: bool) -> Iterator[tuple[str, ...]]:
    """What the original may be called, as words; nothing for a name without additions."""
    numbered = _NUMBERED.fullmatch(name)
    if numbered:
        yield _words(numbered["original"])
        yield from _without_additions(numbered["original"], of_files=of_files)
    lettered = _LETTERED.fullmatch(name) if of_files else None
    if lettered and not is_vocabulary(words_of(name)[-1]):
        yield _words(lettered["original"])
    words = _words(name)
    places = [place for place, word in enumerate(words) if _is_added(word)]
    if not places or (places == [0] and not of_files and words[0] not in COPY_WORDS):
        return
    for drops_numbers in (True, False):
        kept = [word for place, word in enumerate(words) if not _is_dropped(words, place, drops_numbers)]
        yield tuple(kept)
    # Beside "copy" there may be anything: whose it is, and when it was made.
    copies = [place for place in places if words[place] in COPY_WORDS]
    if copies:
        yield from (words[:n] for n in range(copies[0], 0, -1))
        yield from (words[n:] for n in range(copies[-1] + 1, len(words)))


def _is_dropped(words: tuple[str, ...], place: int, drops_numbers: bool) -> bool:
    if _is_added(words[place]):
        return True
    follows = place > 0 and _is_added(words[place - 1])
    return drops_numbers and follows and bool(COUNTER.fullmatch(words[place]))


def _is_added(word: str) -> bool:
    return word in _ADDED_WORDS or _DERIVED_NUMBER.fullmatch(word) is not None


def _words(name: str) -> tuple[str, ...]:
    """The words of a name; an addition that is joined to a known word is one by itself."""
    return tuple(part for word in words_of(name) for part in _parted(word))


def _parted(word: str) -> tuple[str, ...]:
    if is_vocabulary(word):
        return (word,)
    for added in _LONGEST_FIRST:
        head = word.removesuffix(added)
        if head and head != word and is_vocabulary(head):
            return (head, added)
    return (word,)
