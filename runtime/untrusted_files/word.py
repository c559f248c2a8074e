"""The text of a DOCX file: headings, paragraphs, lists and tables, in order."""

from collections.abc import Iterator
from typing import IO, BinaryIO
from zipfile import ZipFile

from lxml import etree

from .archive import opened
from .rows import lines_of

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_BREAKS = {f"{_W}tab": "\t", f"{_W}br": "\n", f"{_W}cr": "\n"}
HEADING = "heading "  # what Word calls its styles in files of every language
DEEPEST = 6


def read(file: BinaryIO) -> Iterator[str]:
    with opened(file) as archive, archive.open("word/document.xml") as document:
        yield from _blocks(document, _levels(archive))


def _levels(archive: ZipFile) -> dict[str, int]:
    """By the ID of a style: the level of its headings."""
    levels: dict[str, int] = {}
    if "word/styles.xml" not in archive.namelist():
        return levels
    with archive.open("word/styles.xml") as styles:
        for _, style in _parsed(styles, f"{_W}style"):
            name = style.find(f"{_W}name")
            called = "" if name is None else str(name.get(f"{_W}val", "")).lower()
            if called == "title":
                levels[str(style.get(f"{_W}styleId"))] = 1
            elif called.startswith(HEADING) and called.removeprefix(HEADING).isdecimal():
                levels[str(style.get(f"{_W}styleId"))] = min(int(called.removeprefix(HEADING)), DEEPEST)
    return levels


def _parsed(file: IO[bytes], *tags: str) -> Iterator[tuple[str, etree._Element]]:
    yield from etree.iterparse(file, tag=tags, resolve_entities=False, no_network=True)


def _blocks(document: IO[bytes], levels: dict[str, int]) -> Iterator[str]:
    for _, element in _parsed(document, f"{_W}p", f"{_W}tbl"):
        if next(element.iterancestors(f"{_W}tc", f"{_W}p"), None) is not None:
            continue  # it's a part of a table or of a paragraph, such as a text box
        if element.tag == f"{_W}tbl":
            rows = element.iterchildren(f"{_W}tr")
            yield f"\n{''.join(lines_of([_text(cell) for cell in row.iter(f'{_W}tc')] for row in rows))}\n"
        elif text := _text(element).strip():
            yield f"{_mark(element, levels)}{text}\n"
        element.clear()
        while element.getprevious() is not None:
            del element.getparent()[0]


def _mark(paragraph: etree._Element, levels: dict[str, int]) -> str:
    style = paragraph.find(f"{_W}pPr/{_W}pStyle")
    if style is not None and (level := levels.get(str(style.get(f"{_W}val")))):
        return f"\n{'#' * level} "
    return "- " if paragraph.find(f"{_W}pPr/{_W}numPr") is not None else "\n"


def _text(element: etree._Element) -> str:
    parts = []
    for part in element.iter(f"{_W}t", f"{_W}p", *_BREAKS):
        if part.tag == f"{_W}t":
            # Text boxes are there twice, for old versions of Word.
            hidden = next(part.iterancestors(_FALLBACK), None) is not None
            parts.append("" if hidden else part.text or "")
        else:
            parts.append(_BREAKS.get(str(part.tag), "\n"))
    return "".join(parts)
