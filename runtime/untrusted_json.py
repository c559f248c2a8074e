"""Reads JSON from strangers, so that the result can be walked and PostgreSQL can store it."""

import json
import re

Json = dict[str, object]

MAX_DEPTH = 64  # Meta's bodies are about a dozen levels deep
MAX_DIGITS = 40
_TOO_LARGE = 1e300  # and Python refuses to write out an integer of more than 4,300 digits
TOO_DEEP = "[nested too deeply]"

# PostgreSQL refuses NUL in text and in jsonb. A lone surrogate can't be encoded as UTF-8.
_NUL_OR_SURROGATE = re.compile("[\x00\ud800-\udfff]")
# Without these bytes, decoded text can't contain either. Also matches the valid pairs of an escaped emoji.
_SUSPICIOUS_ESCAPE = re.compile(rb"\x00|\\u(?:0000|[dD][89a-fA-F])")


class UnreadableJson(ValueError):
    """The body isn't readable JSON. ``reason`` says why, in a few words."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def loads(body: bytes) -> object:
    """The body as cleaned JSON. Raises UnreadableJson if it's empty, not JSON, or nested too deeply.

    What Python reads but PostgreSQL refuses is repaired, so that one odd value doesn't cost its neighbours: NaN and
    infinities (1e999 reads as one) become null, an integer of more than 40 digits becomes text, bytes that aren't
    UTF-8 become U+FFFD, and a byte order mark is skipped.
    """
    text = body.decode("utf-8-sig", "replace")
    if not text.strip():
        raise UnreadableJson("empty body")
    try:
        value = json.loads(
            text, strict=False, parse_constant=lambda _: None, parse_int=_bounded_int, parse_float=_bounded_float
        )
        return value if _is_clean(body) else clean(value)
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


def as_dict(value: object) -> Json:
    """The value if it's an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[object]:
    """The elements of a list. Null is an empty list; any other single value is a list of one."""
    if isinstance(value, list):
        return value
    return [] if value is None else [value]


def as_text(value: object) -> str:
    """Text, or a number as text, trimmed; '' for anything else."""
    if isinstance(value, str):
        return value.strip()
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def _is_clean(body: bytes) -> bool:
    """Whether a body that could be parsed needs no cleaning. True for the usual small delivery."""
    return body.count(b"{") + body.count(b"[") <= MAX_DEPTH and not _SUSPICIOUS_ESCAPE.search(body)


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
