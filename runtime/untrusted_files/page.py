"""The text of a web page: its title in the first line, then its main text, without navigation and the like."""

import re
from collections.abc import Iterator
from copy import deepcopy
from typing import BinaryIO

import trafilatura
from lxml import etree, html
from trafilatura.settings import DEFAULT_CONFIG, Document

from .encoding import decoded
from .refusal import Refused
from .rows import lines_of

_CHARSET = re.compile(rb"""<meta[^>]{0,200}charset\s*=\s*["']?([\w-]{1,40})""", re.IGNORECASE)
_NEVER_TEXT = ("script", "style", "noscript", "template", "svg", "head", "nav", "footer", "select", "iframe")
_BLOCKS = ("p", "div", "li", "tr", "br", "section", "article", "ul", "ol", "dl", "dd", "dt", "table", "address", "main")
_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
# What is found is dropped as boilerplate if it's shorter than this. Prices and opening hours are short.
CONFIG = deepcopy(DEFAULT_CONFIG)
CONFIG["DEFAULT"]["MIN_EXTRACTED_SIZE"] = "1"


def read(file: BinaryIO, charset: str = "") -> Iterator[str]:
    data = file.read()
    named = _CHARSET.search(data[:4096])
    text = decoded(data, charset or (named[1].decode() if named else ""))
    tree = trafilatura.load_html(text)
    if tree is None:
        raise Refused("This isn't a web page.")
    unlinked = deepcopy(tree)
    etree.strip_tags(unlinked, "a")  # lists of links count as navigation, but products and services are listed so, too
    found = trafilatura.bare_extraction(unlinked, include_comments=False, favor_recall=True, config=CONFIG)
    body = found.body if isinstance(found, Document) else None
    title = " ".join((tree.findtext(".//title") or "").split())
    main = "".join(_main(body)) if body is not None else ""
    everything = _visible(tree)
    if not everything.strip():
        raise Refused(
            "The page has no text. It may be made by scripts, which Parley doesn't run. Copy its text and add that."
        )
    yield f"{title}\n"
    # Where hardly anything counts as the main text, as on pages of many short entries, all of it does.
    yield main if len(main) * 3 >= len(everything) else everything


def _main(body: etree._Element) -> Iterator[str]:
    """What trafilatura found, as lines."""
    for element in body:
        if element.tag == "head":
            level = str(element.get("rend", "h2"))[1:]
            yield f"\n{'#' * (int(level) if level.isdecimal() else 2)} {_line(element)}\n"
        elif element.tag == "table":
            rows = ([_line(cell) for cell in row.iter("cell")] for row in element.iter("row"))
            yield f"\n{''.join(lines_of(rows))}\n"
        elif element.tag == "list":
            yield "\n"
            for item in element.iter("item"):
                yield f"- {_line(item)}\n"
        else:
            yield f"\n{_line(element)}\n"


def _line(element: etree._Element) -> str:
    return " ".join("".join(element.itertext()).split())


def _visible(tree: html.HtmlElement) -> str:
    """All text but that of navigation, as lines."""
    for element in list(tree.iter(*_NEVER_TEXT)):
        element.drop_tree()
    for element in tree.iter(*_HEADINGS):
        element.text = f"\n\n{'#' * int(element.tag[1])} {element.text or ''}"
        element.tail = f"\n{element.tail or ''}"
    for element in tree.iter(*_BLOCKS):
        element.text = f"\n{element.text or ''}"
        element.tail = f"\n{element.tail or ''}"
    lines = (" ".join(line.split()) for line in str(tree.text_content()).splitlines())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
