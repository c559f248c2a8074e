"""IDs that look like Meta's."""

import base64
import re
import secrets

# A business-scoped user ID: country, then "ENT" for a parent ID, then up to 128 letters and digits.
BSUID = re.compile(r"[A-Z]{2}\.(ENT\.)?[A-Za-z0-9]{1,128}")
_PHONE_PUNCTUATION = re.compile(r"[+\-\s().]")


def new_wamid() -> str:
    return "wamid." + base64.b64encode(b"\x1c\x18" + secrets.token_bytes(34)).decode()


def new_numeric_id(digits: int = 16) -> str:
    lowest = 10 ** (digits - 1)
    return str(lowest + secrets.randbelow(9 * lowest))


def new_bsuid(country: str = "US") -> str:
    return f"{country}.{new_numeric_id(20)}"


def new_trace_id() -> str:
    return "A" + secrets.token_urlsafe(16)[:22].replace("-", "x")


def is_bsuid(value: str) -> bool:
    return BSUID.fullmatch(value) is not None


def digits_of(phone: str) -> str:
    """The wa_id of a phone number in any notation, or '' if it isn't a phone number."""
    plain = _PHONE_PUNCTUATION.sub("", phone)
    return plain if plain.isascii() and plain.isdigit() and 5 <= len(plain) <= 20 else ""
