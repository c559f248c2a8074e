"""Reads what no reference describes: content of kinds that we don't know, and names that a customer chose."""

import re
from collections.abc import Iterator
from itertools import islice

from runtime.untrusted_json import Json, as_text, one_line

MOST_WORDS = 1000  # characters of such content
_MOST_READ = 50  # values of it
_MOST_SEEN = 1000  # values that are looked at
_NAME = 255  # characters

# Meta's flow builder names fields screen_0_Name_1; only the middle is meaningful to a reader.
_FLOW_FIELD = re.compile(r"screen_\d+_(.+)_\d+")
# Fields that are of no use to a reader.
_TECHNICAL = re.compile(
    r"(.*_)?(ids?|type|tokens?|sha256|hash|key|signature|from|to|timestamp|version|index|offset|url|link|payload)"
)
_PLAIN = ("body", "text", "caption", "title", "description", "name", "message", "details")  # need no field name
# What a message is besides its content.
_ENVELOPE = {"from_user_id", "to_user_id", "context", "errors", "referral", "identity", "username", "status"}


def readable(content: object) -> str:
    """What someone can read in this content: its texts, and its other values with the names of their fields."""
    parts = dict.fromkeys(filter(None, islice(_parts("", content), _MOST_SEEN)))
    return one_line(", ".join(islice(parts, _MOST_READ)), MOST_WORDS)


def key_of_content(item: Json) -> str:
    """The key of what seems to be the content of a message, '' if there's nothing to read."""
    keys = (key for key in islice(item, _MOST_READ) if key not in _ENVELOPE)
    return next((key for key in keys if readable({key: item[key]})), "")


def readable_content(kind: str, item: Json) -> str:
    """What someone can read in a message: the content of its kind, or whatever else seems to be its content."""
    return readable(item.get(kind)) or readable(item.get(key_of_content(item)))


def field_name(key: str) -> str:
    found = _FLOW_FIELD.fullmatch(key)
    return (found[1] if found else key).replace("_", " ")


def shown_name(value: object) -> str:
    """The name of a person or a file, as one line in which nothing is hidden or reordered."""
    return one_line(as_text(value), 4 * _NAME)[:_NAME]


def _parts(key: str, content: object) -> Iterator[str]:
    """The readable parts, and '' for each of the others."""
    if isinstance(content, dict | list):
        yield ""
    if isinstance(content, dict):
        for name, part in content.items():
            if _TECHNICAL.fullmatch(name[-20:].lower()):
                yield ""
            else:
                yield from _parts(name, part)
    elif isinstance(content, list):
        for part in content:
            yield from _parts(key, part)
    elif text := as_text(content):
        is_plain = not key or (isinstance(content, str) and key in _PLAIN)
        yield text if is_plain else f"{field_name(key)}: {text}"
    else:
        yield ""
