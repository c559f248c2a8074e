"""JSON that PostgreSQL can store: without NUL, lone surrogates and NaN."""

import json
from typing import Any, NoReturn


def loads(raw: bytes) -> Any:
    """Raises ValueError for invalid JSON, and for JSON that can't be stored."""
    try:
        value = json.loads(raw, parse_constant=_no_constant)
        text = json.dumps(value, ensure_ascii=False)
        text.encode()
    except RecursionError:
        raise ValueError("The JSON is nested too deeply.") from None
    # json.dumps always escapes NUL. Remove escaped backslashes, so that `\\u0000` isn't mistaken for it.
    if "\\u0000" in text.replace("\\\\", ""):
        raise ValueError("The JSON contains a NUL character.")
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON.")
