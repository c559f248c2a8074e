"""Text from a model service, cleaned."""

import re
import unicodedata

# What neither PostgreSQL nor a chat can show: control characters (but tab and line feed), lone surrogates, and U+FFFD,
# which stands for bytes that weren't text, such as half an emoji.
_UNWANTED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffd-\uffff]")
_INVISIBLE = ("C", "Z")  # Unicode categories: control, format, unassigned; separators


def clean(text: str) -> str:
    """Several lines of text."""
    return _UNWANTED.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).strip()


def plain(text: str) -> str:
    """One line of text."""
    return " ".join(clean(text).split())


def is_blank(text: str) -> bool:
    """Whether nothing of it can be seen."""
    return all(unicodedata.category(character)[0] in _INVISIBLE for character in text)
