"""Phone numbers as people type them, compared with those that WhatsApp knows: digits only, with the country code."""

import re
from collections.abc import Iterable
from functools import lru_cache

import phonenumbers

from runtime.words import fold

MIN_DIGITS = 5  # of a number that is worth being read as one; fewer are only looked for as they are
MAX_DIGITS = 20
# What people dial before a country code. Anything may follow, so only complete numbers count.
INTERNATIONAL_PREFIXES = ("00", "011", "0011", "010", "810")
# Countries in which people dial more, or something else, than the international number with a 0 for the country code.
# A complete number is also read as one of theirs.
IRREGULAR = ("AR", "BJ", "BR", "BY", "CI", "HU", "KZ", "LT", "MX", "RU", "TM", "UZ")

_PUNCTUATION = re.compile(r"[\s()\[\].,/\\~_‐-―−-]")
_TRUNK = re.compile(r"[(\[]\s*0\s*[)\]]")  # +49 (0) 151
# Countries that put a digit before mobile numbers: Brazil (where landlines begin with 2 to 5), Mexico, Argentina.
# Meta and people's address books write the same number with it or without it.
_EXTRA_DIGIT = re.compile(r"(55\d\d)9?([016-9]\d{7})|(52)1?(\d{10})|(54)9?(\d{10})")
# What Mexicans dialled before numbers until 2019, and still write.
_MEXICAN = re.compile(r"(?:01|04[45])(\d{10})")
# Benin and Ivory Coast have made their numbers longer. WhatsApp still knows people by the old ones, too.
_LENGTHENED = re.compile(r"(229)(01)?(\d{8})|(225)(01|05|07)?(\d{8})")


def spellings(number: str) -> tuple[str, str]:
    """A complete number with the extra digit of its country and without it; twice the same where there's none."""
    found = _EXTRA_DIGIT.fullmatch(number)
    if found is None:
        return number, number
    start, rest = filter(None, found.groups())
    return f"{start}{'1' if start == '52' else '9'}{rest}", f"{start}{rest}"


def digits_of(term: str, own_numbers: Iterable[str]) -> list[str]:
    """What to look for in phone numbers. Empty if the term isn't a number.

    own_numbers: of the business. A number without a country code is read as in their countries.
    """
    text = _PUNCTUATION.sub("", _TRUNK.sub("", fold(term)))
    digits = text.removeprefix("+")
    if not digits.isdecimal() or len(digits) > MAX_DIGITS:
        return []
    found = {digits}
    if len(digits) >= MIN_DIGITS:
        found |= _read(text, frozenset(filter(None, map(_region, own_numbers))))
    # What contains another is found by that other.
    return sorted(each for each in found if not any(other in each for other in found - {each}))


@lru_cache(1000)
def _region(own_number: str) -> str:
    number = _parsed(f"+{own_number.lstrip('+')}", None)
    return phonenumbers.region_code_for_country_code(number.country_code or 0) if number else ""


@lru_cache(1000)
def _read(text: str, regions: frozenset[str]) -> frozenset[str]:
    """The ways in which WhatsApp may write this number. Without a country code, it may be incomplete."""
    complete = [f"+{text.removeprefix('+')}"]  # also a WhatsApp ID, which has no plus
    complete += [f"+{text.removeprefix(start)}" for start in INTERNATIONAL_PREFIXES if text.startswith(start)]
    numbers = [_parsed(each, None) for each in complete]
    if text.startswith("+"):
        found = {_digits(number) for number in numbers if number}
    else:
        numbers += [_parsed(text, region) for region in IRREGULAR]
        found = {_digits(number) for number in numbers if number and phonenumbers.is_valid_number(number)}
        here = [_parsed(text, region) for region in sorted(regions)]
        found |= {_digits(number) for number in here if number}
        found.add(text.lstrip("0"))
        found |= {f"52{rest}" for rest in _MEXICAN.findall(text) if _MEXICAN.fullmatch(text)}
        if "BR" in regions and len(text) == 9 and text.startswith("9"):
            found.add(text[1:])  # without the area code
    return frozenset(other for each in found for other in (*spellings(each), *_lengthened(each)))


def _lengthened(number: str) -> list[str]:
    found = _LENGTHENED.fullmatch(number)
    if found is None:
        return []
    benin, _, rest, ivory_coast, _, other = found.groups()
    if benin:
        return [f"229{rest}", f"22901{rest}"]
    return [f"{ivory_coast}{start}{other}" for start in ("", "01", "05", "07")]


def _digits(number: phonenumbers.PhoneNumber) -> str:
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164).removeprefix("+")


def _parsed(text: str, region: str | None) -> phonenumbers.PhoneNumber | None:
    try:
        return phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
