"""Finds what a reply states as a fact that can be checked: prices, phone numbers, email addresses, dates and codes."""

import datetime as dt
import functools
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from .calendar_words import MONTHS
from .links import URL


class Kind(StrEnum):
    PRICE = "price"
    PHONE = "phone"
    EMAIL = "email"
    DATE = "date"
    CODE = "code"


LEAP_YEAR = 2024
YEARS = range(1900, 2200)
_LONGEST_NUMBER = 30  # digits; Python refuses to read more than 4300


@dataclass(frozen=True, slots=True)
class Day:
    """A date, possibly without its year."""

    year: int | None
    month: int
    day: int

    def in_year(self, year: int) -> dt.date | None:
        """The date, in this year unless it has its own. None if there's no such day."""
        try:
            date = dt.date(self.year or year, self.month, self.day)
        except ValueError:
            return None
        return date if date.year in YEARS else None


@dataclass(frozen=True, slots=True)
class Fact:
    """`values`: what it may mean, since 3/4 is written differently in different countries. Prices in
    hundredths, phone numbers and codes as their letters and digits.
    """

    kind: Kind
    text: str
    values: frozenset[int | str | Day]


NUMBER = r"\d{1,3}(?:[ \u00a0\u202f'’]\d{3})+(?:[.,]\d{1,2})?(?!\d)|\d+(?:[.,]\d+)*"
_CURRENCY = (
    r"(?:[€$£¥₹₽₺₴₩₪₫฿₱]|R\$|S/|zł|Kč|Ft|kr\b|EUR\b|USD\b|GBP\b|CHF\b|JPY\b|CNY\b|RMB\b|INR\b|BRL\b|MXN\b|ARS\b|CLP\b"
    r"|COP\b|PEN\b|TRY\b|TL\b|PLN\b|SEK\b|NOK\b|DKK\b|CZK\b|HUF\b|RON\b|RUB\b|UAH\b|ZAR\b|NGN\b|KES\b|AED\b|SAR\b|EGP\b"
    r"|ILS\b|THB\b|VND\b|PHP\b|IDR\b|MYR\b|SGD\b|HKD\b|TWD\b|KRW\b|AUD\b|CAD\b|NZD\b|Rs\b\.?|Rp\b\.?|(?i:euros?|dollars?"
    r"|pounds?|d[oó]lares|pesos|reais|soles|rupees|rupias|francs|franken|lira|yen|yuan|cents?|centavos|c[eé]ntimos)\b"
    r"|元|円|원|руб|грн)"
)
_AMOUNT = rf"(?:{NUMBER})(?:\s?k\b)?"
_PRICE = re.compile(
    rf"(?<![\w.,])(?:{_CURRENCY}\s?(?P<after>{_AMOUNT})"
    rf"|(?:(?P<low>{_AMOUNT})\s?(?:-|–|—|to|bis|a|à|y|und|and|or|o|oder)\s?)?(?P<before>{_AMOUNT})(?:,-|\.–)?\s?{_CURRENCY})"
)
_EMAIL = re.compile(r"[\w.+%-]{1,64}@[\w-]+(?:\.[\w-]+)+")
_TIME = re.compile(
    r"(?<!\d)\d{1,2}(?:[:.h]\d{2})(?:[:]\d{2})?(?!\d)(?:\s?(?:a\.?m\.?|p\.?m\.?|Uhr|hs?\b))?", re.IGNORECASE
)
PHONE = re.compile(r"(?<![\w.,/#-])(?:\+\s?)?\(?\d(?:[ \u00a0().\-/]{0,3}\d){6,14}(?![\w-])")
_MONTH = "|".join(sorted(map(re.escape, MONTHS), key=len, reverse=True))
_SUFFIX = r"(?:st|nd|rd|th|er|\.|º|ª)?"
_DATES = (
    re.compile(r"(?<![\d-])(?P<year>\d{4})[-/.](?P<month>\d{1,2})[-/.](?P<day>\d{1,2})(?![\d-])"),
    re.compile(r"(?<![\d./-])(?P<a>\d{1,2})[./-](?P<b>\d{1,2})[./-](?P<year>\d{4}|\d{2})(?![\d./-]\d|\d)"),
    re.compile(r"(?<![\d.,/:-])(?P<day>\d{1,2})\.\s?(?P<month>\d{1,2})\.(?!\s?\d)"),
    re.compile(
        rf"(?<![\d.,:€$£])(?:(?P<first>\d{{1,2}}){_SUFFIX}\s?(?:-|–|to|and|bis|und|a|al|y|e|et|au)\s?)?(?P<day>\d{{1,2}}){_SUFFIX}"
        rf"\s?(?:de |of |di |d['’])?\b(?P<name>{_MONTH})\b\.?(?:,?\s(?:de |del )?(?P<year>(?:19|20)\d\d)\b)?",
        re.IGNORECASE,
    ),
    re.compile(
        rf"\b(?P<name>{_MONTH})\b\.?\s(?P<day>\d{{1,2}}){_SUFFIX}(?![\d:%]|[.,]\d)(?:,?\s(?P<year>(?:19|20)\d\d)\b)?",
        re.IGNORECASE,
    ),
    re.compile(r"(?:(?P<year>\d{4})\s?年\s?)?(?P<month>\d{1,2})\s?月\s?(?P<day>\d{1,2})\s?日"),
)
_CODES = (
    # After a word for it, with or without digits; a number sign; capital letters and digits.
    re.compile(
        r"(?i:\b(?:code|c[oó]digo|coupon|cup[oó]n|voucher|gutschein(?:code)?|promo(?:code)?|pin|password|passwort|contraseña|senha)\b)"
        r"[:\s\"“'*`]{1,4}(?:(?:is|ist|es|é)[:\s\"“'*`]{1,4})?(?P<code>[A-Z0-9][A-Z0-9-]{3,})\b"
    ),
    re.compile(r"(?<!\w)#(?P<code>[A-Za-z-]{0,6}\d[\w-]{2,})"),
    re.compile(
        r"(?<![\w@./-])(?P<code>(?=[A-Z0-9-]*[A-Z])(?=[A-Z0-9-]*\d[A-Z0-9-]*\d|[A-Z]{3,}\d)[A-Z0-9][A-Z0-9-]{3,})(?![\w@])"
    ),
    re.compile(r"(?<![\w.,@/:-])(?P<code>\d{5,})(?![\w.,@/:-]\w|\w)"),
)
_MEASURE = re.compile(
    r"\d+(?:X\d+)?(?:ML|CL|L|KG|G|MG|CM|MM|KM|M|M2|H|HRS?|MIN|S|PX|GB|MB|TB|KWH|KW|W|V|MAH|HP|PS|AM|PM|K|ST|ND|RD|TH)"
    r"|\d+0{3}|COVID-?19|\d+-\d+[A-Z]*|\d+H\d*"
)


def facts_in(text: str) -> list[Fact]:
    """The facts in a text, in order. What is part of one isn't part of another."""
    rest = re.sub(r"(?<!\w)[*_~`]+|[*_~`]+(?!\w)", _blank, plain_digits(text))
    rest = URL.sub(_blank, rest)
    found: list[tuple[int, Fact]] = []
    for kind, pattern in _PATTERNS:
        for match in pattern.finditer(rest):
            for group, values in _READERS[kind](match) if kind else []:
                start, end = match.span(group)
                found.append((start, Fact(kind or Kind.CODE, text[start:end].strip(" ."), frozenset(values))))
        rest = pattern.sub(functools.partial(_blank_if_read, kind), rest)
    return [fact for _, fact in sorted(found, key=lambda each: each[0])]


def _blank_if_read(kind: Kind | None, match: re.Match[str]) -> str:
    return _blank(match) if kind is None or _READERS[kind](match) else match[0]


def _blank(match: re.Match[str]) -> str:
    return " " * len(match[0])


def _prices(match: re.Match[str]) -> list[tuple[int | str, set[int]]]:
    is_small = re.search(r"(?i:cents?|centavos|c[eé]ntimos)\Z", match[0])
    found: list[tuple[int | str, set[int]]] = []
    for group in ("low", "before", "after"):
        if number := match[group]:
            value = amount(number)
            is_range = bool(match["low"])
            found.append((group if is_range else 0, {value, value // 100} if is_small else {value}))
    return found


def _days(match: re.Match[str]) -> list[tuple[int | str, set[Day]]]:
    parts = match.groupdict()
    year = int(parts["year"]) if parts.get("year") else None
    year = year + 2000 if year is not None and year < 100 else year
    if parts.get("a"):
        a, b = int(parts["a"]), int(parts["b"])
        days = {Day(year, a, b), Day(year, b, a)}
    elif parts.get("name"):
        if match["name"] == "may":  # a verb
            return []
        month = MONTHS[match["name"].lower()]
        days = {Day(year, month, int(parts["day"]))}
        first = Day(year, month, int(parts.get("first") or 0))
        if first.in_year(LEAP_YEAR):
            return [("first", {first}), (0, days)]
    else:
        days = {Day(year, int(parts["month"]), int(parts["day"]))}
    valid = {each for each in days if each.in_year(LEAP_YEAR)}
    return [(0, valid)] if valid else []


def _phones(match: re.Match[str]) -> list[tuple[int | str, set[str]]]:
    digits = re.sub(r"\D", "", match[0].replace("(0)", ""))
    # Thousands, such as 1 000 000
    return [] if re.fullmatch(r"\d{1,2}(?: \d{3})+", match[0]) else [(0, {digits.lstrip("0")})]


def _codes(match: re.Match[str]) -> list[tuple[int | str, set[str]]]:
    code = match["code"]
    is_word = match.re is not _CODES[0] and code.isalpha()
    return [] if is_word or _MEASURE.fullmatch(code) else [("code", {compact(code)})]


_READERS: dict[Kind, Callable[[re.Match[str]], list[tuple[int | str, Any]]]] = {
    Kind.EMAIL: lambda match: [(0, {match[0].casefold()})],
    Kind.DATE: _days,
    Kind.PRICE: _prices,
    Kind.PHONE: _phones,
    Kind.CODE: _codes,
}
# In this order; None for what isn't checked.
_PATTERNS = (
    (Kind.EMAIL, _EMAIL),
    *((Kind.DATE, pattern) for pattern in _DATES),
    (Kind.PRICE, _PRICE),
    (None, _TIME),
    *((Kind.CODE, pattern) for pattern in _CODES[:2]),
    (Kind.PHONE, PHONE),
    *((Kind.CODE, pattern) for pattern in _CODES[2:]),
)


def plain_digits(text: str) -> str:
    """Convert digits of any script to 0 to 9."""
    if text.isascii():
        return text
    return "".join(str(unicodedata.decimal(char)) if char.isdecimal() and not char.isascii() else char for char in text)


def amount(number: str) -> int:
    """In hundredths. Three digits after the only mark are thousands: no price is 1.500 with a point for decimals."""
    scale = 1000 if number.endswith("k") else 1
    digits = re.sub(r"[^\d.,]", "", number)[:_LONGEST_NUMBER]
    before, mark, after = re.match(r"(?:(.*)([.,]))?(\d*)\Z", digits).groups("")  # type: ignore[union-attr]
    is_whole = not mark or mark in before or (len(after) == 3 and before.isdigit() and before.strip("0") != "")
    if is_whole:
        return int(re.sub(r"\D", "", digits)) * 100 * scale
    return (int(re.sub(r"\D", "", before) or 0) * 100 + int((after + "00")[:2])) * scale


def compact(text: str) -> str:
    return "".join(filter(str.isalnum, text)).casefold()
