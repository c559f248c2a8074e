"""Bytes as text, whatever encoding they claim to be in."""

import codecs
import re

import charset_normalizer

from .refusal import UNKNOWN, Refused

SAMPLED = 100_000  # bytes that are looked at to guess an encoding
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16: its mark begins with the other one's
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# For scripts other than Latin, where guesses are good. Western and Central European can't be told apart.
_GUESSED = [
    *("cp1251", "koi8_r", "cp1253", "cp1255", "cp1256", "cp874"),
    *("cp932", "gb18030", "big5", "euc_kr"),
]
_CONTROL = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f]")


def decoded(data: bytes, declared: str = "") -> str:
    """UTF-8 comes before what is declared: other text is hardly ever valid UTF-8, and declarations are often wrong."""
    text = _decoded(data, declared)
    if len(_CONTROL.findall(text)) * 20 > len(text) + 100:
        raise Refused(UNKNOWN)
    return text


def _decoded(data: bytes, declared: str) -> str:
    marked = [name for mark, name in _MARKS.items() if data.startswith(mark)][:1]
    for name in marked or ("utf-8", declared):
        try:
            return data.decode(name)
        except (LookupError, ValueError):
            continue
    sample = b"".join(data[:SAMPLED].split())
    is_latin = sum(byte > 127 for byte in sample) * 3 < len(sample)
    guess = None if is_latin else charset_normalizer.from_bytes(data[:SAMPLED], cp_isolation=_GUESSED).best()
    return data.decode(guess.encoding if guess else "cp1252", "replace")
