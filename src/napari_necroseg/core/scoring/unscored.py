"""Which cases are in no mean, and why: said wherever a mean is shown."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

MOST_NAMED = 12


@dataclass(frozen=True, kw_only=True)
class Unscored:
    """The cases of a scoring that have no scores.

    Parameters
    ----------
    with_reference
        How many cases have a reference, scored or not.
    without_prediction, without_reference
        Names of those without a prediction, and of predictions that belong to none of them.
    failed
        Why a case could not be scored, by its name.
    """

    with_reference: int = 0
    without_prediction: tuple[str, ...] = ()
    without_reference: tuple[str, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many cases with a reference have no scores."""
        return len(self.without_prediction) + len(self.failed)

    def in_words(self, what: str = "prediction", *, most: int = MOST_NAMED) -> tuple[str, ...]:
        """Say all of it, a sentence each; nothing if nothing is missing.

        Parameters
        ----------
        what
            What is compared with the references.
        most
            Names in a sentence; further ones are counted.
        """
        sentences = []
        total, lacking = self.with_reference, len(self.without_prediction)
        if lacking:
            have = "has" if total - lacking == 1 else "have"
            sentences.append(
                f"{total - lacking} of the {total} cases with a reference {have} a {what}; without one: "
                f"{_named(self.without_prediction, most)}."
            )
        if self.failed:
            sentences.append(
                f"{len(self.failed)} of the {total} cases with a reference could not be scored: "
                f"{_named(self.failed, most)}."
            )
        if sentences:
            sentences.append(f"So the means are over {total - self.count} of the {total} cases.")
        if self.without_reference:
            n = len(self.without_reference)
            plural = "" if n == 1 else "s"
            sentences.append(
                f"{n} {what}{plural} {'belongs' if n == 1 else 'belong'} to no reference: "
                f"{_named(self.without_reference, most)}."
            )
        return tuple(sentences)


def altered_in_words(
    changed: Collection[str], corrected: Collection[str], *, total: int, most: int = MOST_NAMED
) -> tuple[str, ...]:
    """Say which masks are not as a model made them, a sentence each; nothing if all are.

    Parameters
    ----------
    changed
        Names of the cases whose mask is not the one that its record was written for.
    corrected
        Of those whose record says that a person has corrected them.
    total
        How many masks there are.
    """
    sentences = []
    if changed:
        was = "was" if len(changed) == 1 else "were"
        records = "its record is" if len(changed) == 1 else "their records are"
        sentences.append(
            f"{len(changed)} of the {total} masks {was} changed after being written, by hand or by damage, "
            f"so {records} not believed: {_named(changed, most)}."
        )
    if corrected:
        was = "was" if len(corrected) == 1 else "were"
        sentences.append(
            f"{len(corrected)} of the {total} masks {was} corrected by hand, and not scored as a model made "
            f"{'it' if len(corrected) == 1 else 'them'}: {_named(corrected, most)}."
        )
    return tuple(sentences)


def _named(names: Collection[str], most: int) -> str:
    shown = list(names)[:most]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
