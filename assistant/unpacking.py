"""Strangers' files are opened by `unpack.py`, in a process of its own with bounds for its memory and its time."""

import subprocess
import sys
from pathlib import Path
from typing import IO

PROGRAM = Path(__file__).with_name("unpack.py")
SECONDS = 30
TOLD = 3  # as the program has it, which is not imported here: its libraries are large


class NotUnpacked(Exception):
    """The text says why, for a person; '' when the file is broken, or made to do harm."""


def unpack(what: str, file: IO[bytes], *numbers: int) -> bytes:
    """What `unpack.py` says of a file on the disk. Raises NotUnpacked."""
    # Isolated: the modules beside the program are none of its own.
    command = [sys.executable, "-I", str(PROGRAM), what, *map(str, numbers)]
    try:
        done = subprocess.run(
            command, stdin=file, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise NotUnpacked(f"It could not be read within {SECONDS} seconds.") from None
    if done.returncode == TOLD:
        raise NotUnpacked(done.stdout.decode("utf-8", "replace")[:200])
    if done.returncode:
        raise NotUnpacked
    return done.stdout
