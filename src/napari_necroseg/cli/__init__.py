"""The command line: ``necroseg COMMAND ...``.

Only the module of the chosen command is imported, so that ``--help`` and ``--version`` answer at once.
"""

import argparse
import signal
import sys
import time
from collections.abc import Sequence
from importlib import import_module
from types import FrameType
from typing import NoReturn

from napari_necroseg import __version__

# The commands, in the order in which a newcomer needs them, with the help line of each.
COMMANDS = {
    "demo": "train, predict and score on a phantom, and show the result in a window",
    "phantom": "write a cohort of numerical spine phantoms",
    "prepare": "find and pair the images in a folder, and write cohort.csv",
    "augment": "write training samples as they are drawn, and a picture of them",
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
# Those whose networks' features come and go in memory.
_COMPUTING = ("train", "predict", "study")
USER_ERROR = 2
INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; see `COMMANDS`.

    Parameters
    ----------
    argv
        Arguments after the program's name; those of the process if None.

    Returns
    -------
    int
        0 if it finished, 2 for a mistake that the user can mend, 130 if it was interrupted.
    """
    started_s = time.monotonic()
    arguments = list(sys.argv[1:] if argv is None else argv)
    chosen = next((word for word in arguments if not word.startswith("-")), None)
    options = make_parser(chosen).parse_args(join_points(arguments), argparse.Namespace(started_s=started_s))
    # A scheduler ends a job with SIGTERM; clean up as after Ctrl+C.
    signal.signal(signal.SIGTERM, _interrupt)
    from napari_necroseg.cli.console import present
    from napari_necroseg.core.memory import keep_freed_memory

    if argv is None and chosen in _COMPUTING:
        # The process is this command's own.
        keep_freed_memory()
    return present(lambda: options.run(options), as_json=options.json)


class Parser(argparse.ArgumentParser):
    """A parser that reports a mistake in one line."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, without repeating all options."""
        self.exit(USER_ERROR, f"{self.prog}: {message}; see {self.prog} --help\n")


def make_parser(command: str | None) -> argparse.ArgumentParser:
    """Make the parser, with all options of `command` and only the help line of the others."""
    parser = Parser(
        prog="necroseg",
        description="Segment necrosis zones after radiofrequency ablation of spinal metastases. "
        "Research software, not a medical device.",
    )
    parser.add_argument("--version", action="version", version=f"necroseg {__version__}")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, summary in COMMANDS.items():
        subparser = subparsers.add_parser(name, help=summary, description=summary.capitalize() + ".")
        if name == command:
            module = import_module(f"napari_necroseg.cli.{name}")
            module.add_arguments(subparser)
            subparser.set_defaults(run=module.run)
            subparser.add_argument(
                "--json", action="store_true", help="print one JSON object a line to standard output"
            )
    return parser


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


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
