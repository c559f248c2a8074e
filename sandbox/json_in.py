"""JSON as it may be stored: PostgreSQL takes no NUL, no lone surrogate and no NaN."""

import json
from typing import Any, NoReturn


def loads(raw: bytes) -> Any:
    """Raises ValueError for everything that could not be stored, too."""
    try:
        value = json.loads(raw, parse_constant=_no_constant)
        text = json.dumps(value, ensure_ascii=False)
        text.encode()
    except RecursionError:
        raise ValueError("It is nested too deeply.") from None
    # In a dumped text a NUL is always escaped; an escaped backslash before it is not one.
    if "\\u0000" in text.replace("\\\\", ""):
        raise ValueError("It contains a NUL character.")
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON.")
