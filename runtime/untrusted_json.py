"""Reads what strangers send: JSON that can be walked and that PostgreSQL can store, and text that is safe to show."""

import hashlib
import html
import json
import re
from collections.abc import Iterator
from itertools import accumulate

Json = dict[str, object]

MAX_DEPTH = 64  # Meta's bodies are about a dozen levels deep
MAX_DIGITS = 40
# Objects, lists and commas. 3 MB of ordinary messages or statuses have about 100,000; millions take seconds, and much
# memory.
MAX_PARTS = 250_000
_TOO_LARGE = 1e300  # and Python refuses to write out an integer of more than 4,300 digits
TOO_DEEP = "[nested too deeply]"

# PostgreSQL refuses NUL in text and in jsonb. A lone surrogate can't be encoded as UTF-8.
_NUL_OR_SURROGATE = re.compile("[\x00\ud800-\udfff]")
# Without these bytes, decoded text can't contain either. Also matches the valid pairs of an escaped emoji.
_SUSPICIOUS_ESCAPE = re.compile(rb"\x00|\\u(?:0000|[dD][89a-fA-F])")
_STRING = re.compile(rb'"[^"]*"')  # once escaped quotes are gone
_STEPS = dict(zip(b"{}[]", (1, -1, 1, -1), strict=True))

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_CONTROL_IN_LINE = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]")
_LINE_END = re.compile(r"[ \t]*(?:\r\n|[\r\n\x0b\x0c\x85\u2028\u2029])")
_EMPTY_LINES = re.compile(r"\n{3,}")
# Characters that can't be seen, or that change the direction of the text around them. Emoji and several scripts need
# the two joiners, U+200C and U+200D.
_HIDDEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\u2800\u3164\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
_MARKUP = re.compile(r"<(script|style|head|title)\b[^<]*</\1\s*>|<!--[^>]*-->|</?[a-zA-Z!?][^<>]*>", re.IGNORECASE)
# Where services put their explanation, the most precise first.
_WORDS = ("details", "detail", "message", "msg", "error_user_msg", "error_description", "description", "title")
_PARTS = ("error", "errors", "error_data")
_MOST_READ = 4000  # characters of an answer that are searched for words


class UnreadableJson(ValueError):
    """The body isn't readable JSON. ``reason`` says why, in a few words."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def loads(body: bytes) -> object:
    """The body as cleaned JSON. Raises UnreadableJson if it's empty, not JSON, too deep, or has too many parts.

    What Python reads but PostgreSQL refuses is repaired, so that one odd value doesn't cost its neighbours: NaN and
    infinities (1e999 reads as one) become null, an integer of more than 40 digits becomes text, bytes that can't be
    decoded become U+FFFD, and a byte order mark is skipped. UTF-16 and UTF-32 are recognized.
    """
    text = body.decode(json.detect_encoding(body), "replace")
    if not text.strip():
        raise UnreadableJson("empty body")
    if _has_too_many_parts(text):
        raise UnreadableJson("too many parts")
    try:
        value = json.loads(
            text, strict=False, parse_constant=lambda _: None, parse_int=_bounded_int, parse_float=_bounded_float
        )
        return value if _is_clean(body, text) else clean(value)
    except RecursionError:
        raise UnreadableJson("nested too deeply") from None
    except ValueError:
        raise UnreadableJson("not JSON") from None


def clean(value: object, depth: int = MAX_DEPTH) -> object:
    """The value without what PostgreSQL refuses: NUL is dropped and lone surrogates become U+FFFD, in keys too.

    Numbers that are too large or not finite become null. What is nested deeper than `MAX_DEPTH` levels is replaced
    by `TOO_DEEP`. Parts that are clean already aren't copied.
    """
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict | list):
        return _clean_container(value, depth - 1) if depth else TOO_DEEP
    if isinstance(value, int | float):
        return value if abs(value) < _TOO_LARGE else None  # comparisons with NaN are false
    return value


def clean_text(text: str) -> str:
    return _NUL_OR_SURROGATE.sub(lambda bad: "" if bad[0] == "\x00" else "\ufffd", text)


def one_line(text: str, limit: int) -> str:
    """Text as one line that is safe to show: at most `limit` characters, without hidden ones.

    Control characters, line breaks included, become spaces. Characters that can't be seen or that change the direction
    of their neighbours are dropped.
    """
    line = " ".join(_HIDDEN.sub("", _CONTROL.sub(" ", clean_text(text[: limit * 8]))).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def several_lines(text: str) -> str:
    """Text that is safe to show, in lines: without hidden characters, and with at most one empty line in a row."""
    text = _CONTROL_IN_LINE.sub(" ", _HIDDEN.sub("", clean_text(text)))
    return _EMPTY_LINES.sub("\n\n", _LINE_END.sub("\n", text)).strip()


def words_in(answer: object, limit: int) -> str:
    """What a service says in an answer of any shape, as one line: `message` may be an object or a list, and the whole
    answer a page of HTML. '' if it says nothing.
    """
    words = list(dict.fromkeys(filter(None, _words(answer))))
    return one_line(": ".join(words)[:_MOST_READ], limit)


def short_id(value: object, limit: int = 255) -> str:
    """An ID as text that fits its column. A longer one is cut, and stays unique: it ends with a hash of the whole."""
    found = as_text(value)
    if len(found) <= limit:
        return found
    digest = hashlib.sha256(found.encode("utf-8", "replace")).hexdigest()
    return f"{found[: limit - len(digest) - 1]}~{digest}"


def as_dict(value: object) -> Json:
    """The value if it's an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[object]:
    """The elements of a list. Null is an empty list; any other single value is a list of one."""
    if isinstance(value, list):
        return value
    return [] if value is None else [value]


def as_id(text: str) -> int | None:
    """A row's ID from a request; None for anything else. int() fails on thousands of digits, PostgreSQL on twenty."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None


def as_text(value: object) -> str:
    """Text, or a number as text, trimmed; '' for anything else."""
    if isinstance(value, str):
        return value.strip()
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def _words(answer: object) -> Iterator[str]:
    if isinstance(answer, dict):
        known = [answer[name] for name in (*_WORDS, *_PARTS) if answer.get(name)]
        for part in known or answer.values():
            yield from _words(part)
    elif isinstance(answer, list):
        for part in answer[:10]:
            yield from _words(part)
    elif isinstance(answer, str):
        yield " ".join(html.unescape(_MARKUP.sub(" ", answer[:_MOST_READ])).split())


def _has_too_many_parts(text: str) -> bool:
    """What is inside strings doesn't count, but most bodies are fine even if it's counted."""
    if sum(map(text.count, "{[,")) <= MAX_PARTS:
        return False
    parts = _only(b'{[,"', text)
    return len(parts) - sum(len(string[0]) for string in _STRING.finditer(parts)) > MAX_PARTS


def _is_clean(body: bytes, text: str) -> bool:
    """Whether a parsed body needs no cleaning. Cleaning takes as long as parsing."""
    if _SUSPICIOUS_ESCAPE.search(body):
        return False
    if text.count("{") + text.count("[") <= MAX_DEPTH:
        return True
    brackets = _STRING.sub(b"", _only(b'{}[]"', text))
    return max(accumulate(map(_STEPS.__getitem__, brackets)), default=0) <= MAX_DEPTH


def _only(kept: bytes, text: str) -> bytes:
    """These characters, without escaped quotes and empty strings."""
    found = text.encode("utf-8", "replace").replace(b"\\\\", b"").replace(b'\\"', b"")
    return found.translate(None, bytes(set(range(256)) - set(kept))).replace(b'""', b"")


def _clean_container(value: Json | list[object], depth: int) -> object:
    if isinstance(value, list):
        items = [clean(item, depth) for item in value]
        return value if all(new is old for new, old in zip(items, value, strict=True)) else items
    pairs = {clean_text(key): clean(item, depth) for key, item in value.items()}
    unchanged = pairs.keys() == value.keys() and all(pairs[key] is value[key] for key in pairs)
    return value if unchanged else pairs


def _bounded_int(digits: str) -> int | str:
    return int(digits) if len(digits) <= MAX_DIGITS else digits


def _bounded_float(digits: str) -> float | None:
    number = float(digits)
    return number if abs(number) < _TOO_LARGE else None
