"""Splits a text into chunks: by its headings, then paragraphs, then sentences. Nothing is lost, nothing overlaps."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

LONGEST = 1_200  # characters
LONGEST_HEADING = 200  # of one; a longer line that begins with # is a paragraph
BETWEEN_HEADINGS = " > "

_HEADING = re.compile(r"[ ]{0,3}(#{1,6})[ \t]+(.*?\S)(?:[ \t]+#+)?[ \t]*")
_FENCE = re.compile(r"[ ]{0,3}(```|~~~)")
_PARAGRAPH = re.compile(r"\n[ \t]*\n\s*")
# Where a paragraph that is too long is split, best first: lines (of a list or a table), sentences of any script, words.
_FINER = [re.compile(r"(?<=\n)"), re.compile(r"(?<=[.!?…؟]\s)|(?<=[。！？।॥])"), re.compile(r"(?<=\s)")]


@dataclass(frozen=True, slots=True)
class Piece:
    """heading: the path of headings above the text, such as “Prices > Cakes”."""

    heading: str
    text: str


@dataclass(slots=True)
class _Section:
    headings: tuple[str, ...]
    lines: list[str] = field(default_factory=list)


def pieces_of(text: str) -> Iterator[Piece]:
    """The chunks of a text whose headings are lines that begin with #, as in Markdown."""
    sections = list(_sections(text))
    for section, following in zip(sections, [*sections[1:], _Section(())], strict=True):
        body = "\n".join(section.lines).strip()
        if not body and section.headings != following.headings[: len(section.headings)]:
            body = section.headings[-1] if section.headings else ""  # a heading with nothing below it
        heading = BETWEEN_HEADINGS.join(section.headings)
        for part in _packed(_PARAGRAPH.split(body), "\n\n", 0):
            yield Piece(heading, part)


def _sections(text: str) -> Iterator[_Section]:
    section, fence = _Section(()), ""
    headings: list[tuple[int, str]] = []
    for line in text.splitlines():
        if found := _FENCE.match(line):
            fence = "" if fence == found[1] else fence or found[1]
        found = None if fence else _HEADING.fullmatch(line)
        if found is None or len(found[2]) > LONGEST_HEADING:
            section.lines.append(line)
            continue
        yield section
        level = len(found[1])
        headings = [(above, title) for above, title in headings if above < level] + [(level, found[2])]
        section = _Section(tuple(title for _, title in headings))
    yield section


def _packed(parts: list[str], glue: str, finer: int) -> Iterator[str]:
    """Neighboring parts together, up to `LONGEST`. A part that's longer is split at the next finer place."""
    packed = ""
    for part in parts:
        if len(packed) + len(glue) + len(part) <= LONGEST:
            packed = f"{packed}{glue}{part}" if packed else part
            continue
        if packed.strip():
            yield packed.strip()
        packed = part
        if len(part) > LONGEST:
            *whole, packed = _split(part, finer)
            yield from whole
    if packed.strip():
        yield packed.strip()


def _split(part: str, finer: int) -> list[str]:
    if finer == len(_FINER):
        return [part[at : at + LONGEST] for at in range(0, len(part), LONGEST)]
    return list(_packed(_FINER[finer].split(part), "", finer + 1)) or [""]
