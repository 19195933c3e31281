"""A command -> the same command, killed by the kernel when whoever started it dies.

    python -m finetune.executors.tied COMMAND ARGUMENT...

The guard of a run on another machine may be killed in a way that leaves it no time to end the recipe. Linux
keeps the wish across the exec; elsewhere the recipe would live on until its folder is taken up again.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Tie this process to its parent, and become the command."""
    parent = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the wish was made
        sys.exit(1)
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606 - an argument list; the guard says what it holds


if __name__ == "__main__":
    main()
