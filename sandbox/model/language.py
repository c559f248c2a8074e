"""The languages that the sandbox model speaks, from `phrases.toml`."""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_FILE: dict[str, Any] = tomllib.loads(Path(__file__).with_name("phrases.toml").read_text(encoding="utf-8"))
_INTENTS = {name: re.compile(pattern, re.I) for name, pattern in _FILE.pop("intents").items()}
DULL = set(_FILE.pop("dull").split())
SYNONYMS = {word: meaning for meaning, words in _FILE.pop("synonyms").items() for word in [meaning, *words]}
_MARKERS = {code: set(phrases["markers"].split()) for code, phrases in _FILE.items()}


@dataclass(frozen=True, slots=True)
class Language:
    code: str

    def say(self, phrase: str, **values: str) -> str:
        return str(_FILE[self.code][phrase]).format(**values)

    def translated(self, text: str) -> str:
        """An English text such as opening hours, with the words that we know in this language."""
        words = _FILE[self.code].get("words", {})
        return re.sub(r"[A-Za-z]+", lambda found: words.get(found[0], found[0]), text)

    @property
    def days(self) -> list[str]:
        """Monday to Sunday, today, tomorrow."""
        return list(_FILE[self.code]["days"])

    @property
    def numbers(self) -> dict[str, int]:
        return dict(_FILE[self.code]["numbers"])


LANGUAGES = tuple(Language(code) for code in _FILE)


def language_of(texts: list[str]) -> Language:
    """The language of the newest text that has one; English if none has."""
    for text in reversed(texts):
        words = re.findall(r"[\w']+", text.lower())
        scores = {language: sum(word in _MARKERS[language.code] for word in words) for language in LANGUAGES}
        if any(scores.values()):
            return max(LANGUAGES, key=lambda language: scores[language])
    return LANGUAGES[0]


def means(intent: str, text: str) -> bool:
    """Whether a customer's text has this intent, a key of [intents]."""
    return _INTENTS[intent].search(text.replace("’", "'")) is not None


def said(phrase: str, text: str) -> bool:
    """Whether a reply is this phrase, in any language."""
    return any(max(re.split(r"{\w+}", str(_FILE[each.code][phrase])), key=len) in text for each in LANGUAGES)
