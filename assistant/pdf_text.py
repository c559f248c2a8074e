"""The text of a PDF, from standard input to standard output: `python pdf_text.py PAGES CHARACTERS`.

A program of its own, without Django: a hostile file costs its memory and its time and not the worker's.
"""

import resource
import sys

from pypdf import PdfReader

MEMORY = 1024 * 1024 * 1024
CPU_SECONDS = 20


def main(pages: int, characters: int) -> None:
    _bound(resource.RLIMIT_AS, MEMORY)
    _bound(resource.RLIMIT_CPU, CPU_SECONDS)
    left = characters
    for page in PdfReader(sys.stdin.buffer).pages[:pages]:
        text = page.extract_text()[:left]
        sys.stdout.buffer.write(f"{text}\n".encode("utf-8", "replace"))
        left -= len(text)
        if left <= 0:
            return


def _bound(what: int, most: int) -> None:
    try:
        resource.setrlimit(what, (most, most))
    except (ValueError, OSError):
        print("this system sets no such limit", file=sys.stderr)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
