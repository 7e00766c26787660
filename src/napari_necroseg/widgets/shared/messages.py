"""What an error means for the person in front of the screen."""

from napari_necroseg.core.errors import mistake_of


def is_foreseen(error: BaseException) -> bool:
    """Whether the message says all there is to say, so that a traceback would help nobody."""
    return mistake_of(error) is not None


def explain(error: BaseException) -> str:
    """Say in plain words what happened, and what to do next."""
    mistake = mistake_of(error)
    if mistake is not None:
        return str(mistake)
    return (
        f"This failed in a way that the program did not foresee ({type(error).__name__}: {error}). "
        "Your data is unchanged. Press Details to copy the report for the developers."
    )
