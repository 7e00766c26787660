"""Names the files in a project's folder ``labels``: masks, drafts, sign-offs and journals of edits."""

from pathlib import Path

from napari_necroseg.core.case_names import named_file

LABELS_FOLDER = "labels"
DRAFTS_FOLDER = "drafts"
TUMOUR_SUFFIX = "_tumour"
REVIEW_SUFFIX = ".review.json"
JOURNAL_SUFFIX = ".journal"


def corrected_path(labels: Path, case: str, *, is_tumour: bool = False) -> Path:
    """Return the path of a case's corrected mask, which need not exist."""
    return named_file(labels, f"{case}{TUMOUR_SUFFIX if is_tumour else ''}.nii.gz")


def draft_path(labels: Path, case: str) -> Path:
    """Return the path of the copy that is written every few seconds while a mask is being corrected."""
    # A draft has a folder of its own, so that no case can have the name of one.
    return named_file(labels / DRAFTS_FOLDER, f"{case}.nii.gz")


def review_path(labels: Path, case: str) -> Path:
    """Return the path of a case's review, which need not exist."""
    return named_file(labels, f"{case}{REVIEW_SUFFIX}")


def journal_path(labels: Path, case: str) -> Path:
    """Return the path of the journal of a case's mask, which need not exist."""
    return named_file(labels, f"{case}{JOURNAL_SUFFIX}")


def is_in_project(mask: Path, stem: str) -> bool:
    """Whether this program keeps a mask: it lies in ``labels``, beside the review or journal of its stem."""
    labels = mask.parent.parent if mask.parent.name == DRAFTS_FOLDER else mask.parent
    if labels.name != LABELS_FOLDER:
        return False
    case = stem.removesuffix(TUMOUR_SUFFIX)
    return any(path.exists() for path in (review_path(labels, case), journal_path(labels, case)))
