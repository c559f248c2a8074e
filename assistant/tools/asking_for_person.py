"""Recognises customers who ask for a human: the safety net for when the model doesn't call `hand_over`.

The words are in `asking_for_person.toml`; here they're combined. The text loses its capitals, accents and punctuation
first. A customer who is flagged without having asked costs a glance; one who asked and isn't flagged waits in vain.
When in doubt, the answer is yes.
"""

import re
import tomllib
import unicodedata
from pathlib import Path
from typing import Any

LONGEST = 2_000  # characters that are looked at
STROKES = {"ł": "l", "đ": "d", "ø": "o", "ı": "i"}  # letters that Unicode doesn't decompose


def asks_for_person(text: str) -> bool:
    """Whether the customer asks for a human, in any of the languages."""
    plain = _HARMLESS.sub(" ", normalised(text[:LONGEST]))
    return any(pattern.search(plain) for pattern in _PATTERNS.values())


def normalised(text: str) -> str:
    """Lower case, without the accents of Latin and Cyrillic letters and Arabic vowel signs, words separated by one
    space."""
    composed = unicodedata.normalize("NFKC", text).casefold()
    letters = []
    for letter in composed:
        base = unicodedata.normalize("NFD", letter)[0]
        keeps_marks = "DEVANAGARI" in (name := unicodedata.name(letter, "")) or "HIRAGANA" in name or "KATAKANA" in name
        if unicodedata.category(letter) == "Mn" and not keeps_marks:
            continue
        letters.append(letter if keeps_marks or "HANGUL" in name else STROKES.get(base, base))
    words = re.sub(r"[^\w\u0900-\u097f]+", " ", "".join(letters))
    return re.sub(r"[أإآ]", "ا", words).strip()


def _pattern(words: dict[str, Any]) -> re.Pattern[str]:
    is_spaced = words.pop("spaced", True)  # whether words are separated by spaces
    near, next_to = (".{0,28}?", ".{0,12}?") if is_spaced else (".{0,10}?", ".{0,6}?")
    one = {name: "(?:" + "|".join(choices) + ")" for name, choices in words.items()}
    if is_spaced:
        one = {name: rf"(?<!\w){choices}(?!\w)" for name, choices in one.items()}
    return re.compile(
        f"{one['talk']}{near}{one['anyone']}|{one['anyone']}{near}{one['talk']}"
        f"|{one['want']}{next_to}{one['human']}|{one['human']}{next_to}{one['want']}"
        f"|{one['no_bot']}|^{one['alone']}$"
    )


_languages = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
_HARMLESS = re.compile("|".join(_languages.pop("harmless")))
_PATTERNS = {language: _pattern(words) for language, words in _languages.items()}
