"""Opens untrusted files in a process of its own, with bounded memory and time. `program.py` is what runs there."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from .refusal import Refused

ROOT = Path(__file__).resolve().parents[2]
# In isolated mode: it imports nothing from the working directory, and learns nothing from the environment.
START = f"import sys; sys.path.append({str(ROOT)!r}); from runtime.untrusted_files.program import main; main()"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """characters: of the text. If there's more, the file is refused if `whole`, else its beginning is read."""

    seconds: int = 30  # of the processor, two thirds of that
    megabytes: int = 192  # a photo of 12 million pixels takes 60 to 140 MB, depending on its compression
    characters: int = 20_000
    whole: bool = False


def read(
    reader: str,
    file: IO[bytes],
    *arguments: object,
    limits: Limits = Limits(),
    on_progress: Callable[[str], None] = lambda words: None,
) -> bytes:
    """The output of the module `reader` of this package, for a file on disk. Raises Refused."""
    numbers = (limits.megabytes, limits.seconds * 2 // 3, limits.characters, int(limits.whole))
    command = [sys.executable, "-I", "-c", START, reader, *map(str, [*numbers, *arguments])]
    file.flush()
    os.lseek(file.fileno(), 0, os.SEEK_SET)  # `file.seek` may only move within a buffer that the process doesn't have
    with (
        tempfile.TemporaryFile() as output,
        subprocess.Popen(command, stdin=file, stdout=output, stderr=subprocess.PIPE, env={}) as process,
    ):
        alarm = threading.Timer(limits.seconds, process.kill)
        alarm.start()
        try:
            refusal = _listen(process.stderr, on_progress)
            process.wait()
        finally:
            alarm.cancel()
            process.kill()
        if process.returncode in (-signal.SIGKILL, -signal.SIGXCPU):
            raise Refused(f"It couldn't be read within {limits.seconds} seconds.")
        if process.returncode:
            raise Refused(refusal)
        output.seek(0)
        return output.read()


def _listen(lines: IO[bytes] | None, on_progress: Callable[[str], None]) -> str:
    """Pass on the progress until the process ends. Returns why it refused the file, if it says so."""
    refusal = ""
    while lines and (line := lines.readline(1000)):
        kind, _, words = line.decode("utf-8", "replace").strip().partition(" ")
        if kind == "progress":
            on_progress(words)
        elif kind == "refused":
            refusal = words[:300]
    return refusal
