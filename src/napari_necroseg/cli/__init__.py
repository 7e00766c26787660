"""The command line: ``necroseg COMMAND ...``.

Only the module of the chosen command is imported, so that ``--help`` and ``--version`` answer at once. This
module imports next to nothing, so that `main` heeds an interruption from the first moment on.
"""

import sys
import time
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    `argv`: arguments after the program's name; those of the process if None.
    Returns 0 if it finished, 2 for a mistake that the user can mend, 130 if it was interrupted, 141 if the
    program that read its output has closed it.
    """
    started_s = time.monotonic()
    try:
        from napari_necroseg.cli._interrupts import Interrupts
    except KeyboardInterrupt:
        if sys.stderr is not None:
            sys.stderr.write("necroseg: interrupted before anything was begun.\n")
        return 130

    is_own_process = argv is None
    with Interrupts(is_own_process=is_own_process) as interrupts:
        from napari_necroseg.cli._command import run_command

        arguments = list(sys.argv[1:] if argv is None else argv)
        return run_command(arguments, interrupts, started_s=started_s)
