"""What the dock Train says of a training before it starts."""

from napari_necroseg.core.config import describe
from napari_necroseg.core.plan import Plan, duration


def augmentation_in_words(plan: Plan | None, *, is_chosen: bool) -> str:
    """Say how samples are varied, and who chose that."""
    if plan is None:
        return ""
    whose = "as chosen in the dock Augmentation preview" if is_chosen else "the preset's"
    return f"Augmentation ({whose}): {describe(plan.config.augment)}."


def plan_in_words(plan: Plan, *, start_from: str) -> str:
    """Say which network learns from how many cases, how long, and from which model's weights, if any."""
    length = f"{plan.iterations} iterations" if plan.iterations is not None else ""
    if plan.seconds is not None:
        length = f"{length}, at most {duration(plan.seconds)}" if length else duration(plan.seconds)
    sequences = " and ".join(str(sequence) for sequence in plan.config.sequences)
    origin = f", from the weights of {start_from}" if start_from else ""
    network = f"{plan.config.dimension.upper()} network on {sequences}"
    return f"{network} of {len(plan.cases)} cases{origin}: {length}."
