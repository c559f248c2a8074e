"""Converts Markdown within one paragraph, heading, list item or table cell to WhatsApp's formatting.

https://faq.whatsapp.com/539178204879377
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from markdown_it.token import Token

from .markdown import PARSER

References = dict[str, dict[str, str]]

BOLD, ITALIC, STRUCK, CODE = "*", "_", "~", "`"
_HTML_MARKS = {
    **dict.fromkeys(["b", "strong", "h1", "h2", "h3", "h4", "h5", "h6"], BOLD),
    **dict.fromkeys(["i", "em"], ITALIC),
    **dict.fromkeys(["s", "del", "strike"], STRUCK),
    **dict.fromkeys(["code", "tt", "kbd"], CODE),
}
_HTML_BLOCKS = {"p", "div", "ul", "ol", "li", "table", "tr", "h1", "h2", "h3", "h4", "h5", "h6"}
_HTML_DROPPED = {
    *("html", "body", "section", "article", "pre", "tbody", "thead", "td", "th", "a"),
    *("span", "font", "small", "center", "u", "mark", "sub", "sup"),
}
_TAG = re.compile(r"<(/?[a-z][a-z0-9]*)((?:\s+[\w:-]+\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s\"'>]+))*)\s*/?>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"\b(href|src|alt)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))", re.IGNORECASE)
_STRAY_BOLD = re.compile(r"(?<![*\w])\*\*(?=[^\W\d_])|(?<=[^\W\d_])\*\*(?![*\w])")


@dataclass(slots=True)
class Run:
    """A piece of a line with its formatting marks, outermost first."""

    text: str
    marks: list[str]


@dataclass(slots=True)
class _Flattening:
    """Turns the parser's nested tokens into runs, line by line."""

    stars_are_italic: bool
    marks: list[str]
    lines: list[list[Run]] = field(default_factory=lambda: [[]])
    links: list[tuple[str, int]] = field(default_factory=list)  # open ones: URL, and where their text begins

    def add(self, text: str, marks: Sequence[str] | None = None) -> None:
        for index, part in enumerate(text.split("\n")):
            if index:
                self.lines.append([])
            if part:
                self.lines[-1].append(Run(part, list(dict.fromkeys(self.marks if marks is None else marks))))

    def close(self, mark: str) -> None:
        if mark in self.marks:
            del self.marks[len(self.marks) - 1 - self.marks[::-1].index(mark)]

    def take(self, token: Token) -> None:
        match token.type:
            case "text":
                self.add(_STRAY_BOLD.sub("", token.content))
            case "softbreak" | "hardbreak":
                self.add("\n" + token.content)
            case "code_inline":
                fence = CODE if token.markup == "``" and CODE not in token.content else token.markup
                self.add(f"{fence}{token.content}{fence}")
            case "html_inline":
                self.take_html(token.content)
            case "link_open":
                self.links.append((str(token.attrs.get("href", "")), len(self.lines[-1])))
            case "link_close" if self.links:
                self.end_link(*self.links.pop())
            case "image":
                self.links.append((str(token.attrs.get("src", "")), len(self.lines[-1])))
                self.add(token.content)
                self.end_link(*self.links.pop())
            case _ if token.nesting:
                self.take_mark(token)
            case _:
                self.add(token.content)

    def take_mark(self, token: Token) -> None:
        mark = {"strong": BOLD, "s": STRUCK}.get(token.type.rpartition("_")[0], ITALIC)
        if token.markup == "*":
            mark = ITALIC if self.stars_are_italic else BOLD
        if token.nesting > 0:
            self.marks.append(mark)
        else:
            self.close(mark)

    def take_html(self, tag: str) -> None:
        found = _TAG.fullmatch(tag)
        name = found[1].lower() if found else ""
        values = {key.lower(): a or b or c for key, a, b, c in _ATTRIBUTE.findall(found[2] if found else "")}
        is_end, name = name.startswith("/"), name.removeprefix("/")
        if name == "a" and is_end and self.links:
            self.end_link(*self.links.pop())
        elif name == "a" and "href" in values:
            self.links.append((values["href"], len(self.lines[-1])))
        elif name == "img":
            self.add(": ".join(filter(None, [values.get("alt", ""), values.get("src", "")])))
        elif name == "li" and not is_end:
            self.add("- ")
        elif name in _HTML_MARKS and not is_end:
            self.marks.append(_HTML_MARKS[name])
        elif name not in {"br", "hr", *_HTML_MARKS, *_HTML_BLOCKS, *_HTML_DROPPED}:
            self.add(tag)  # isn't HTML
        if name in _HTML_MARKS and is_end:
            self.close(_HTML_MARKS[name])
        if name in ("br", "hr") or (name in _HTML_BLOCKS and is_end):
            self.add("\n")

    def end_link(self, url: str, start: int) -> None:
        """`[text](url)` becomes "text: url", the text alone, or the URL alone if the text only repeats it."""
        scheme, _, rest = url.partition(":")
        text = "".join(run.text for run in self.lines[-1][start:])
        if scheme.lower() in ("mailto", "tel", "sms"):
            address = rest.partition("?")[0]
            is_shown = "".join(filter(str.isalnum, address)) in "".join(filter(str.isalnum, text))
            self.add("" if is_shown else (f": {address}" if text else address))
            return
        if scheme.lower() not in ("http", "https") and not url.lower().startswith("www."):
            return
        if _bare(text) == _bare(url):
            del self.lines[-1][start:]
            text = ""
        self.add(f": {url}" if text.strip() else url, marks=[] if text else None)


def _bare(url: str) -> str:
    return re.sub(r"^(?:https?://)?(?:www\.)?", "", url.strip().lower()).rstrip("/")


def render(
    source: str,
    references: References,
    stars_are_italic: bool = False,
    is_bold: bool = False,
) -> str:
    """The text of one block. stars_are_italic: what `*text*` means in this answer;
    in WhatsApp's own formatting it's bold."""
    flattening = _Flattening(stars_are_italic, [BOLD] if is_bold else [])
    for token in PARSER.parseInline(source, {"references": references})[0].children or []:
        flattening.take(token)
    while flattening.links:
        flattening.end_link(*flattening.links.pop())
    return "\n".join(map(_line, flattening.lines))


def _line(runs: list[Run]) -> str:
    """The runs with WhatsApp's marks around them.

    WhatsApp ignores a mark that touches a space on its inside, or a word on its outside, and shows it as typed.
    """
    texts = [run.text for run in runs]
    spans: dict[tuple[int, str], tuple[int, int]] = {}
    for mark in (BOLD, ITALIC, STRUCK, CODE):
        for start, end in _spans(runs, mark):
            before, after = "".join(texts[:start])[-1:], "".join(texts[end:])[:1]
            content = "".join(texts[start:end])
            outer_before = content[:1].isspace() or not before.isalnum()
            outer_after = content[-1:].isspace() or not after.isalnum()
            if content.strip() and outer_before and outer_after and not (mark == CODE and CODE in content):
                spans |= {(index, mark): (start, end) for index in range(start, end)}
    out, opened = "", list[str]()
    for index, run in enumerate(runs):
        # The longest span is outermost; of two that are the same, bold.
        marks = sorted(
            (mark for mark in (BOLD, ITALIC, STRUCK, CODE) if (index, mark) in spans),
            key=lambda mark: spans[index, mark][0] - spans[index, mark][1],
        )
        same = 0
        while same < min(len(marks), len(opened)) and marks[same] == opened[same]:
            same += 1
        out = _after_words(out, "".join(reversed(opened[same:])))
        opened = opened[:same]
        words = run.text.lstrip()
        out += run.text[: len(run.text) - len(words)]
        if words:
            out += "".join(marks[same:]) + words
            opened = marks
    return _after_words(out, "".join(reversed(opened)))


def _after_words(text: str, marks: str) -> str:
    words = text.rstrip(" \t")
    return words + marks + text[len(words) :]


def _spans(runs: Sequence[Run], mark: str) -> list[tuple[int, int]]:
    """Where the mark is on: the first run and the one after the last."""
    spans: list[tuple[int, int]] = []
    for index, run in enumerate(runs):
        if mark not in run.marks:
            continue
        if spans and spans[-1][1] == index:
            spans[-1] = (spans[-1][0], index + 1)
        else:
            spans.append((index, index + 1))
    return spans
