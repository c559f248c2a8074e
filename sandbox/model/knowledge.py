"""What the sandbox model knows: the name, prices, hours and other sentences in the instructions it's given."""

import re
from dataclasses import dataclass
from decimal import Decimal

from sandbox.model.language import DULL, SYNONYMS

_BUSINESS = re.compile(r"\b(?:assistant|support|receptionist|concierge)\s+(?:of|for|at)\s+([A-Z][\w&' -]{1,60})")
_PRICE = re.compile(
    r"(?P<before>[€£$]\s?)?(?P<number>\d{1,6}(?:[.,]\d{1,2})?)(?P<after>\s?(?:[€£$]|EUR\b|euros?\b))?", re.I
)
_BETWEEN = re.compile(r"(?:costs?|is|are|for|at|from|:|–|-|=|,)\s*$", re.I)
_CLAUSES = re.compile(r";|\.(?:\s|$)|,\s(?![^()]*\))|\sand\s(?=[^()]*[€£$]\s?\d)")
_SENTENCES = re.compile(r"\n|(?<=[.!?])\s")
_TIMES = re.compile(r"\d{1,2}([:.]\d\d)?\s*(am|pm|h|Uhr)?\s*(to|-|–|until)\s*\d{1,2}", re.I)
_HOURS = re.compile(r"^(opening hours|hours|open|we(?:'|’)re open)\s*:?\s*", re.I)
# Sentences that tell the model what to do say nothing that a customer asks about.
_ORDERS = re.compile(
    r"\W*(you|be|reply|answer|only|never|always|don't|do not|if|use|end|greet|offer|ask|call|tell|keep|write|speak|say|"
    r"suggest|sign|start|hand|help|quote|note|when)\b",
    re.I,
)
_SAID_FIRST = re.compile(r"\b(?:greet|start)\b[^\n“\"]*[“\"]([^”\"\n]+)[”\"]", re.I)
_SAID_LAST = re.compile(r"\b(?:end|finish|close|sign)\b[^\n“\"]*[“\"]([^”\"\n]+)[”\"]", re.I)
_NOT_GOODS = re.compile(r"\b(we|deposit|deliver\w*|orders?|minimum|over|below|from|with)\b", re.I)
_LONGEST_NAME = 6  # words


@dataclass(frozen=True, slots=True)
class Item:
    """Something with a price. names: the same in several languages, separated by “ / ” in the instructions."""

    names: tuple[str, ...]
    detail: str
    price: Decimal
    currency: tuple[str, str]  # before and after the number

    def money(self, amount: Decimal) -> str:
        number = f"{amount:.2f}" if amount % 1 else f"{amount:.0f}"
        return f"{self.currency[0]}{number}{self.currency[1]}"

    def named_as(self, text: str) -> str:
        """The name that the text uses, with the detail in brackets."""
        name = next((each for each in self.names if _is_in(each, text)), self.names[0])
        return f"{name} ({self.detail})" if self.detail else name


@dataclass(frozen=True, slots=True)
class Knowledge:
    text: str

    @property
    def business(self) -> str:
        found = _BUSINESS.search(self.text)
        return found[1].strip() if found else ""

    @property
    def greeting(self) -> str:
        """As in: Greet customers with “Ahoy”."""
        found = _SAID_FIRST.search(self.text)
        return found[1].strip(" !.,") if found else ""

    @property
    def ending(self) -> str:
        """As in: End every reply with “See you at the harbour!”."""
        found = _SAID_LAST.search(self.text)
        return found[1].strip() if found else ""

    @property
    def hours(self) -> str:
        lines = [line.strip(" -•*") for line in self.text.splitlines() if _TIMES.search(line)]
        return (
            re.sub(r"^(opening hours|hours|open|we(?:'|’)re open)\s*:?\s*", "", lines[0], flags=re.I) if lines else ""
        )

    @property
    def items(self) -> list[Item]:
        found: dict[str, Item] = {}
        for clause in (clause for line in self.text.splitlines() for clause in _CLAUSES.split(line)):
            price = next((m for m in _PRICE.finditer(clause) if m["before"] or m["after"]), None)
            if price is None:
                continue
            name = _BETWEEN.sub("", clause[: price.start()].strip()).rpartition(":")[2].strip(" -•*")
            detail = re.search(r"\(([^)]*)\)", name)
            names = tuple(filter(None, (each.strip() for each in re.sub(r"\s*\([^)]*\)", "", name).split(" / "))))
            if names and not _NOT_GOODS.search(name) and all(len(each.split()) <= _LONGEST_NAME for each in names):
                amount = Decimal(price["number"].replace(",", "."))
                currency = (price["before"] or "", price["after"] or "")
                found.setdefault(names[0].lower(), Item(names, detail[1] if detail else "", amount, currency))
        return list(found.values())

    def named(self, text: str) -> tuple[list[Item], list[Item]]:
        """The items that a text names, and those of the kinds that it names, such as all cakes for “a cake”."""
        words = _words(text)
        found = {item: max((_shared(name, words) for name in item.names), key=len) for item in self.items}
        full = [item for item in found if any(_is_in(name, text) for name in item.names)]
        taken = set().union(*(found[item] for item in full))
        kind = [item for item, shared in found.items() if item not in full and shared - taken]
        numbers = set(re.findall(r"\d+", text))
        kind = [item for item in kind if numbers & set(re.findall(r"\d+", item.detail))] or kind
        best = max((len(found[item]) for item in kind), default=0)
        kind = [item for item in kind if len(found[item]) == best]
        return (full + kind, []) if len(kind) == 1 else (full, kind)

    def has_topic(self, question: str) -> bool:
        """Whether it's about something like delivery or payment, and not only about goods."""
        return any(word in SYNONYMS for word in _words(question))

    def sentence_about(self, question: str) -> str:
        """The sentence that has the most words in common with the question; '' if none has any."""
        asked = {SYNONYMS.get(word, word) for word in _words(question)} - DULL
        asked = {word for word in asked if len(word) >= 4}
        best, most = "", 0
        for sentence in (each.strip(" -•*") for each in _SENTENCES.split(self.text)):
            if not sentence or _ORDERS.match(sentence):
                continue
            words = {SYNONYMS.get(word, word) for word in _words(sentence)}
            score = sum(any(_same(one, other) for other in words) for one in asked)
            if score > most:
                best, most = sentence, score
        return best


def _words(text: str) -> list[str]:
    return re.findall(r"[\w']+", text.lower()) or [""]


def _is_in(name: str, text: str) -> bool:
    """Whether all words of the name are in the text, in any form that begins the same."""
    words = _words(text)
    return all(any(_same(part, word) for word in words) for part in _words(name) if len(part) > 2)


def _shared(name: str, words: list[str]) -> set[str]:
    """The words of a text that are in the name."""
    return {word for word in words for part in _words(name) if len(part) > 2 and _same(part, word)}


def _same(one: str, other: str) -> bool:
    """“cakes” and “cake” are the same word, “Torten” and “Torte” too."""
    short, long = sorted((one, other), key=len)
    return len(short) >= 3 and long.startswith(short) and len(long) - len(short) <= 2
