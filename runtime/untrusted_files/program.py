"""Runs in a process of its own (see `sandbox.py`), so that a hostile file uses up this one's memory and time.

Without Django. Reads standard input and writes what's in it to standard output. Standard error has lines for the
parent: `progress …` and `refused …`. A reader is a module of this package with a function `read`, which yields text, or
the bytes of an image.
"""

import importlib
import resource
import sys
from collections.abc import Iterator

from .refusal import Refused

LARGEST_OUTPUT = 64  # MB


def main() -> None:
    reader, *rest = sys.argv[1:]
    megabytes, seconds, characters, whole = map(int, rest[:4])
    # First the limits: importing a reader's libraries is a part of the work.
    _bound(resource.RLIMIT_AS, megabytes << 20)
    _bound(resource.RLIMIT_CPU, seconds)
    _bound(resource.RLIMIT_FSIZE, LARGEST_OUTPUT << 20)
    try:
        parts = importlib.import_module(f"runtime.untrusted_files.{reader}").read(sys.stdin.buffer, *rest[4:])
        for part in _bounded(parts, characters, bool(whole)):
            sys.stdout.buffer.write(part if isinstance(part, bytes) else part.encode("utf-8", "replace"))
    except Refused as refusal:
        _refuse(str(refusal))
    except MemoryError:
        _refuse(f"It's too large: reading it takes more than {megabytes} MB of memory.")


def progress(words: str) -> None:
    """Say how far the reading is."""
    sys.stderr.write(f"progress {words}\n")
    sys.stderr.flush()


def _bounded(parts: Iterator[str | bytes], characters: int, whole: bool) -> Iterator[str | bytes]:
    left = characters
    for part in parts:
        if isinstance(part, str):
            if len(part) > left and whole:
                raise Refused(f"It has more than {characters:,} characters of text. Split it into several.")
            part = part[:left]
            left -= len(part)
        yield part
        if not left:
            return


def _refuse(words: str) -> None:
    sys.stderr.write(f"refused {words}\n")
    sys.exit(3)


def _bound(what: int, most: int) -> None:
    try:
        resource.setrlimit(what, (most, most))
    except (ValueError, OSError):
        print("this system doesn't support the limit", file=sys.stderr)
