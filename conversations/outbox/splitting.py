"""Splits a long text into several messages.

Meta allows 4096 characters and doesn't say how it counts. We count UTF-16 units: an emoji is two or more, so a part is
never too long. https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/text-messages
"""

import re
import unicodedata

LIMIT = 4096
# Where to split, in order of preference: between paragraphs, lines, sentences, words; where words have no spaces
# between them, after any punctuation. The number in "1. Apples" isn't a sentence.
_CUTS = (
    re.compile(r"\n\s*\n"),
    re.compile(r"\n"),
    re.compile(r"(?:(?<!\d)\.|[!?…؟।])[\"'”’»)\]*_~]*(?=\s)|[。！？][」』”’）]*"),
    re.compile(r"\s"),
    re.compile(r"[，、；：]"),
)
_URL = re.compile(r"https?://|www\.", re.IGNORECASE)
_JOINER = "\u200d"


def split_text(text: str, limit: int = LIMIT) -> list[str]:
    """Split the text into parts of at most `limit` UTF-16 units, none of them blank; [] for a blank text."""
    parts = []
    rest = text.strip()
    while (fits := _fitting(rest, limit)) < len(rest):
        end = _cut(rest, fits)
        parts.append(rest[:end].rstrip())
        rest = rest[end:].lstrip()
    return [*parts, rest] if rest else parts


def _fitting(text: str, limit: int) -> int:
    """How many of the text's characters fit; at least one."""
    units = text[:limit].encode("utf-16-le", "replace")[: 2 * limit]
    return max(1, len(units.decode("utf-16-le", "ignore")))


def _cut(text: str, fits: int) -> int:
    for mark in _CUTS:
        # Don't split in the first half, which would leave a very short message; try the next separator instead.
        ends = [found.end() for found in mark.finditer(text, 0, fits + 1) if found.end() <= fits]
        if ends and ends[-1] > fits // 2:
            return ends[-1]
    start = max(text.rfind(" ", 0, fits), text.rfind("\n", 0, fits)) + 1
    if (url := _URL.search(text, start, fits)) and url.start() > 0:
        return url.start()
    return next((end for end in range(fits, 0, -1) if _is_between_graphemes(text, end)), fits)


def _is_between_graphemes(text: str, at: int) -> bool:
    """Whether what a reader sees as one character ends here: an emoji of several parts, a letter with its
    accents, a flag, a syllable. Follows https://unicode.org/reports/tr29/ on the safe side.
    """
    before, after = text[at - 1], text[at]
    if after == _JOINER or before == _JOINER or unicodedata.category(after)[0] == "M":
        return False
    if "\U0001f3fb" <= after <= "\U0001f3ff" or "\U000e0020" <= after <= "\U000e007f":  # skin tones, tags of flags
        return False
    if unicodedata.combining(before) == 9 or "\u1160" <= after <= "\u11ff":  # viramas, parts of Hangul syllables
        return False
    if _is_regional(after):
        flags = re.search("[\U0001f1e6-\U0001f1ff]*\\Z", text[max(0, at - 200) : at])
        return flags is None or len(flags[0]) % 2 == 0
    return True


def _is_regional(character: str) -> bool:
    """Whether two of these make a flag."""
    return "\U0001f1e6" <= character <= "\U0001f1ff"
