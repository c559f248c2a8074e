"""Checks a reply's facts against what the model was shown.

A fact that isn't there may still be worked out: a sum, a share, a discount, or a date counted from today.
"""

import datetime as dt
import functools
import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass

from .calendar_words import NUMBERS, UNITS, WEEKDAY_RANGE, WEEKDAYS, WEEKS
from .facts import NUMBER, PHONE, Day, Fact, Kind, amount, compact, facts_in, plain_digits

_MOST_PARTS = 3  # of a sum
_MOST_AMOUNTS = 12
_MOST_SUMS = 20_000
_PERCENT = re.compile(r"(?<!\d)(\d{1,3}(?:[.,]\d{1,4})?)\s?%")
_COUNT = re.compile(r"(?<![\d.,€$£])(\d{1,3})(?![\d€$£%]|[.,]\d|\s?(?:€|\$|£|EUR|USD|GBP))")
_WORD = re.compile(r"[^\W\d_]{4,}")
# Words for a sum, for a difference, for something on top, and for a share.
_TOTAL = re.compile(
    r"\b(?:total\w*|sum|together|altogether|in all|comes?|came|both|plus|with|including|zusammen|insgesamt|gesamt|macht"
    r"|summe|mit|juntos|juntas|suma\w*|ser[ií]an?|las dos|los dos|con|soma\w*|com|ensemble|avec|insieme|samen|met|razem"
    r"|итого|вместе|toplam)\b|[+=]",
    re.IGNORECASE,
)
_LESS = re.compile(
    r"\b(?:off|sav\w+|discount\w*|less|minus|change|remain\w+|rest|difference|more than|rabatt|nachlass|spar\w+"
    r"|anzahlung|descuento|ahorr\w+|menos|resto|restante|desconto|remise|r[eé]duction|[eé]conomi\w+|acompte|sconto"
    r"|risparmi\w+)\b|−\s?\d|\s-\s\d",
    re.IGNORECASE,
)
_MORE = re.compile(
    r"\b(?:vat|tax\w*|tips?|surcharge|plus|extra|mwst|zuschlag|zuzüglich|iva|tva|impuesto\w*)\b", re.IGNORECASE
)
_EACH = re.compile(
    r"\b(?:each|per|apiece|split|shared?|half|halves|monthly|instal\w+|jeweils|geteilt|h[aä]lfte|cada|mitad|cuotas|metade|parcelas"
    r"|chacun|moiti[eé]|ciascuno|met[aà]|rate)\b|/",
    re.IGNORECASE,
)
_DURATION = {
    days: re.compile(
        rf"\b(\d{{1,3}})(?:\s?(?:-|–|to|bis|a|à|o|or|y|e|und|and)\s?(\d{{1,3}}))?\s?-?(?:{words})\b", re.IGNORECASE
    )
    for days, words in UNITS.items()
}


@dataclass(frozen=True, slots=True)
class Shown:
    """What the model was shown: the instructions, and the conversation."""

    instructions: str
    conversation: str


class _Grounds:
    """What can be found in a text, looked for when it's needed."""

    def __init__(self, text: str) -> None:
        self.text = plain_digits(text)

    @functools.cached_property
    def numbers(self) -> set[int]:
        return {amount(number) for number in re.findall(NUMBER, self.text)}

    @functools.cached_property
    def days(self) -> set[Day]:
        return {day for fact in facts_in(self.text) for day in fact.values if isinstance(day, Day)}

    @functools.cached_property
    def phones(self) -> set[str]:
        written = [*(found[0] for found in PHONE.finditer(self.text)), *re.findall(r"\d{6,}", self.text)]
        return {re.sub(r"\D", "", each.replace("(0)", "")).lstrip("0") for each in written}

    @functools.cached_property
    def compact(self) -> str:
        return compact(self.text)

    def has(self, fact: Fact) -> bool:
        words = [value for value in fact.values if isinstance(value, str)]
        match fact.kind:
            case Kind.PRICE:
                return bool(fact.values & self.numbers)
            case Kind.EMAIL:
                return any(value in self.text.casefold() for value in words)
            case Kind.DATE:
                return any(_agree(day, other) for day in fact.values for other in self.days)
            case Kind.PHONE if any(_is_same_phone(number, value) for number in self.phones for value in words):
                return True
        return any(value in self.compact for value in words)


def unknown_facts(reply: str, shown: Shown, today: dt.date) -> list[str]:
    """The facts that were neither shown nor worked out from what was, as they are written in the reply."""
    facts = facts_in(reply)
    if not facts:
        return []
    grounds = _Grounds(f"{shown.instructions}\n{shown.conversation}")
    unknown = [fact for fact in facts if not grounds.has(fact)]
    if any(fact.kind is Kind.PRICE for fact in unknown):
        known = {value for fact in facts if fact not in unknown and fact.kind is Kind.PRICE for value in fact.values}
        sums = _sums(plain_digits(reply), shown, {value for value in known if isinstance(value, int)})
        unknown = [fact for fact in unknown if fact.kind is not Kind.PRICE or not fact.values & sums]
    if any(fact.kind is Kind.DATE for fact in unknown):
        days = _days_from(today, _Grounds(shown.conversation).days, f"{grounds.text}\n{plain_digits(reply)}")
        unknown = [fact for fact in unknown if fact.kind is not Kind.DATE or not _is_one_of(fact, days)]
    return list(dict.fromkeys(fact.text for fact in unknown))


def _is_same_phone(number: str, other: str) -> bool:
    """With or without the country's code."""
    return min(len(number), len(other)) >= 6 and (number.endswith(other) or other.endswith(number))


def _agree(day: object, other: object) -> bool:
    if not isinstance(day, Day) or not isinstance(other, Day):
        return False
    is_same_year = day.year is None or other.year is None or day.year == other.year
    return is_same_year and (day.month, day.day) == (other.month, other.day)


def _prices_in(text: str) -> set[int]:
    facts = [fact for fact in facts_in(text) if fact.kind is Kind.PRICE]
    return {value for fact in facts for value in fact.values if isinstance(value, int)}


def _sums(reply: str, shown: Shown, stated: set[int]) -> set[int]:
    """What can be worked out from the prices of what this is about, in hundredths.

    stated: prices in the reply that were shown.
    """
    talk = plain_digits(f"{shown.conversation}\n{reply}")
    instructions = plain_digits(shown.instructions)
    prices = stated | _prices_in(plain_digits(shown.conversation)) | _prices_in(instructions)
    if len(prices) > _MOST_AMOUNTS:
        # Almost any price is the sum of some in a long list. Only lines about what they talk about count.
        topics = {word.casefold()[:5] for word in _WORD.findall(talk)}
        about = [
            line for line in instructions.splitlines() if topics & {word.casefold()[:5] for word in _WORD.findall(line)}
        ]
        prices = stated | _prices_in(plain_digits(shown.conversation)) | _prices_in("\n".join(about))
    if not prices:  # in a list without a currency
        prices = {amount(number) for number in re.findall(NUMBER, instructions)}
    words = re.findall(r"[\w-]+", talk.casefold())
    numbers = {1, *map(int, _COUNT.findall(talk)), *(NUMBERS.get(word, 1) for word in words)}
    counts = set(sorted(numbers - {0})[:12])
    counts |= {one * other for one, other in itertools.combinations(counts, 2)}  # 2 people, 3 nights
    parts = [sorted({price * count for count in counts}) for price in sorted(prices)[:_MOST_AMOUNTS]]
    sums: set[int] = set()
    for size in range(1, _MOST_PARTS + 1 if _TOTAL.search(talk) else 2):
        for chosen in itertools.combinations(parts, size):
            sums.update(map(sum, itertools.islice(itertools.product(*chosen), 500)))
            if len(sums) > _MOST_SUMS:
                break
    percents = {float(number.replace(",", ".")) for number in _PERCENT.findall(talk)}
    worked_out = {abs(one - price) for one in sums for price in prices} if _LESS.search(talk) else set()
    factors = {factor / 100 for percent in percents for factor in (percent, 100 - percent)}
    factors |= {1 + percent / 100 for percent in percents} if _MORE.search(talk) else set()
    factors |= {1 / count for count in counts} if _EACH.search(talk) else set()
    worked_out |= {round(one * factor) for one in itertools.islice(sums, 2000) for factor in factors}
    return sums | worked_out


def _days_from(today: dt.date, stated: Iterable[Day], text: str) -> set[dt.date]:
    """The days that the text names in relation to today, wherever on earth that is, or to a stated day."""
    low = text.casefold()
    offsets = set(range(-2, 4))
    for days, pattern in _DURATION.items():
        for first, last in pattern.findall(low):
            least, most = int(first) * days, int(last or first) * days
            # Working days: with the weekends between them. Months have up to 31 days.
            offsets |= set(range(least - 1, min(most + 2 + 2 * (most // 5 + 1), 1100)))
    words = set(re.findall(r"[^\W\d_]+(?:-feira)?", low))
    weekdays = {number for word, number in WEEKDAYS.items() if word in words or f"{word}s" in words}
    if re.search(WEEKS, low) or re.search(WEEKDAY_RANGE, low):
        weekdays = set(range(1, 8))
    near = {today + dt.timedelta(days=offset) for offset in range(-1, 15)}
    starts = [today, *(date for day in stated if (date := day.in_year(today.year)))]
    counted = {start + dt.timedelta(days=sign * offset) for start in starts for offset in offsets for sign in (1, -1)}
    return counted | {day for day in near if day.isoweekday() in weekdays}


def _is_one_of(fact: Fact, days: set[dt.date]) -> bool:
    return any(_agree(each, Day(day.year, day.month, day.day)) for each in fact.values for day in days)
