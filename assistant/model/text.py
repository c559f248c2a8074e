"""Text from outside: a model's, cleaned, and what the model is shown."""

import re
import unicodedata

TOKEN_CHARACTERS = 4

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


def estimated_tokens(*texts: str) -> int:
    """About how many tokens a model counts, for services that don't say."""
    return sum(map(len, texts)) // TOKEN_CHARACTERS + 1


def is_blank(text: str) -> bool:
    """Whether nothing of it can be seen."""
    return all(unicodedata.category(character)[0] in _INVISIBLE for character in text)


# Before a letter, whatever stands between them, or before the marks of control tokens, comments and closing tags.
_OPENING = re.compile(r"[<＜﹤](?=\W{0,8}[^\W\d_]|[|!?/_])")


def untagged(text: str) -> str:
    """Text from outside, without anything that looks like a tag: it can't imitate the blocks that we write around it,
    or a chat template's control tokens."""
    return _OPENING.sub("‹", text)
