"""The names of the commands, the exit codes, and how a point is told from an option."""

from collections.abc import Sequence

# The commands, in the order in which a newcomer needs them, with the help line of each.
COMMANDS = {
    "open": "open the window with the panel: draw, check and sign off masks",
    "demo": "train, predict and score on a phantom, and show the result in a window",
    "phantom": "write a cohort of numerical spine phantoms",
    "prepare": "find and pair the images in a folder, and write cohort.csv",
    "augment": "write samples as a training draws them, and a picture of them",
    "devices": "list the processor and graphics cards that a network can run on here",
    "plan": "say what a training would do and cost here, before it runs",
    "train": "train one network on a cohort",
    "predict": "outline necrosis zones with a trained network",
    "assist": "outline a zone from a point in it, without a model",
    "export": "write a trained network as ONNX, with a model card",
    "score": "compare predicted masks with reference masks",
    "study": "cross-validate the six configurations of the paper, or others, and report",
    "report": "write tables, figures and the report of a study again",
}
# Commands that stand in the module of another one, each as add_NAME_arguments and NAME_job.
MODULE_OF = {
    "phantom": "prepare",
    "devices": "predict",
    "plan": "train",
    "export": "predict",
    "report": "study",
}
USER_ERROR = 2
INTERRUPTED = 130
NOTHING_LEFT = "nothing half-written was left behind."
# The exit code by which a shell reports a program that was ended by SIGPIPE.
READER_GONE = 141


def join_points(arguments: Sequence[str]) -> list[str]:
    """Write ``--option -12,3,4`` as ``--option=-12,3,4``: argparse takes a leading minus for an option."""
    joined: list[str] = []
    for word in arguments:
        if joined and joined[-1].startswith("--") and "=" not in joined[-1] and _is_negative_point(word):
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


def _is_negative_point(word: str) -> bool:
    return word.startswith("-") and "," in word and not word.strip("-+.,eE0123456789")
