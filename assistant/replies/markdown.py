"""The parser of Markdown within a line, adapted to what models write."""

import re

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline
from markdown_it.rules_inline.state_inline import Delimiter

from .links import URL, trimmed


def _url_rule(state: StateInline, silent: bool) -> bool:
    """A URL is text, whatever characters it has."""
    if state.src[state.pos] != ":" or not (
        scheme := re.search(r"https?\Z", state.src[max(0, state.pos - 5) : state.pos], re.IGNORECASE)
    ):
        return False
    start = state.pos - len(scheme[0])
    found = URL.match(state.src, start, state.posMax)
    if not found:
        return False
    end = start + len(trimmed(found[0]))
    if not silent:
        state.append_pending(state.src[state.pos : end])
    state.pos = end
    return True


def _newline_rule(state: StateInline, silent: bool) -> bool:
    """Keep the next line's indentation."""
    if state.src[state.pos] != "\n":
        return False
    state.pos += 1
    if not silent:
        state.pending = state.pending.rstrip(" \t")
        state.push("softbreak", "br", 0)
    return True


def _emphasis_rule(state: StateInline, silent: bool) -> bool:
    """As CommonMark says, except that ** may also stand between punctuation and a letter, as in `**Price:**20`, and
    that a star between letters or digits is just a star."""
    marker = state.src[state.pos]
    if silent or marker not in "*_":
        return False
    scanned = state.scanDelims(state.pos, marker == "*")
    end = state.pos + scanned.length
    before, after = state.src[max(0, state.pos - 1) : state.pos], state.src[end : min(end + 1, state.posMax)]
    is_bold = marker == "*" and scanned.length == 2
    if before.isalnum() and after.isalnum() and (not is_bold or before.isdigit() or after.isdigit()):
        state.append_pending(state.src[state.pos : end])  # a product or a power
        state.pos = end
        return True
    for _ in range(scanned.length):
        token = state.push("text", "", 0)
        token.content = marker
        state.delimiters.append(
            Delimiter(
                marker=ord(marker),
                length=scanned.length,
                token=len(state.tokens) - 1,
                end=-1,
                open=bool(after.strip()) if is_bold else scanned.can_open,
                close=bool(before.strip()) if is_bold else scanned.can_close,
            )
        )
    state.pos += scanned.length
    return True


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark").enable("strikethrough")
    parser.inline.ruler.before("newline", "url", _url_rule)
    parser.inline.ruler.at("newline", _newline_rule)
    parser.inline.ruler.at("emphasis", _emphasis_rule)
    # Links stay as they were written.
    parser.normalizeLink = lambda url: url  # type: ignore[method-assign]
    parser.normalizeLinkText = lambda link: link  # type: ignore[method-assign]
    parser.validateLink = lambda url: True  # type: ignore[method-assign]
    return parser


PARSER = _parser()
