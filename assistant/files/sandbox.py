"""Opens untrusted files in `sandboxed_main.py`: a separate process with bounded memory and time."""

import subprocess
import sys
from pathlib import Path
from typing import IO

PROGRAM = Path(__file__).with_name("sandboxed_main.py")
SECONDS = 30
EXIT_WITH_REASON = 3  # as in `sandboxed_main.py`, which isn't imported here: its libraries are large


class DecodeError(Exception):
    """The message says why, for the user; '' if the file is broken or malicious."""


def unpack(what: str, file: IO[bytes], *numbers: int) -> bytes:
    """The output of `sandboxed_main.py` for a file. Raises DecodeError."""
    # Isolated mode, so that the program can't import the modules next to it.
    command = [sys.executable, "-I", str(PROGRAM), what, *map(str, numbers)]
    try:
        done = subprocess.run(
            command, stdin=file, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise DecodeError(f"It couldn't be read within {SECONDS} seconds.") from None
    if done.returncode == EXIT_WITH_REASON:
        raise DecodeError(done.stdout.decode("utf-8", "replace")[:200])
    if done.returncode:
        raise DecodeError
    return done.stdout
