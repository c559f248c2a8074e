"""Reading JSON that a stranger wrote: what comes out can be walked and can be stored by PostgreSQL."""

import json
import re
from typing import Any

Json = dict[str, Any]

MAX_DEPTH = 64  # Meta's own bodies are about a dozen levels deep
MAX_DIGITS = 40
_TOO_LARGE = 1e300  # and Python refuses to write out an integer of more than 4,300 digits
TOO_DEEP = "[nested too deeply]"

# PostgreSQL refuses NUL in text and in jsonb, and half of a surrogate pair cannot become UTF-8.
_NUL_OR_SURROGATE = re.compile("[\x00\ud800-\udfff]")


class UnreadableJson(ValueError):
    """The body is no JSON that can be read. ``reason`` says why, in a few words."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def loads(body: bytes) -> object:
    """The body as cleaned JSON. Raises `Unreadable` when it is empty, no JSON, or nested too deeply.

    What Python would read but PostgreSQL would refuse is mended instead of refused, so that one odd value
    does not cost its neighbours: NaN and infinities (1e999 reads as one) become null, an integer of more
    than 40 digits stays as its text, bytes that are not UTF-8 become U+FFFD, a byte order mark is skipped.
    """
    text = body.decode("utf-8-sig", "replace")
    if not text.strip():
        raise UnreadableJson("empty body")
    try:
        return clean(json.loads(text, strict=False, parse_constant=_nothing, parse_int=_whole))
    except RecursionError:
        raise UnreadableJson("nested too deeply") from None
    except ValueError:
        raise UnreadableJson("not JSON") from None


def clean(value: Any, depth: int = MAX_DEPTH) -> Any:
    """A copy without what PostgreSQL refuses: NUL is dropped, lone surrogates become U+FFFD, keys included.

    Numbers that are absurdly large or not finite become null. What lies deeper than `MAX_DEPTH` levels is
    cut off, and `TOO_DEEP` stands in its place.
    """
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict | list):
        return _clean_inside(value, depth - 1) if depth else TOO_DEEP
    if isinstance(value, int | float):
        return value if abs(value) < _TOO_LARGE else None  # NaN is not less than anything
    return value


def clean_text(text: str) -> str:
    return _NUL_OR_SURROGATE.sub(lambda bad: "" if bad[0] == "\x00" else "\ufffd", text)


def as_dict(value: Any) -> Json:
    """The value when it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """The elements of a list. A single thing where a list belongs counts as a list of one, null as none."""
    if isinstance(value, list):
        return value
    return [] if value is None else [value]


def as_text(value: Any) -> str:
    """Text or a number as trimmed text; anything else is ''."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return str(value).strip()


def _clean_inside(value: Json | list[Any], depth: int) -> Any:
    if isinstance(value, list):
        return [clean(item, depth) for item in value]
    return {clean_text(key): clean(item, depth) for key, item in value.items()}


def _nothing(_constant: str) -> None:
    return None


def _whole(digits: str) -> int | str:
    return int(digits) if len(digits) <= MAX_DIGITS else digits
