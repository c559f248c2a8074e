"""What a check found, and how checks are run: each within a time limit, and none can stop the others."""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from enum import IntEnum

from django.conf import settings
from django.db import DatabaseError, connections

logger = logging.getLogger(__name__)

SHORTEST_SECRET = 6  # hiding shorter ones would garble ordinary words
HIDDEN = "[secret]"


class Level(IntEnum):
    """Its value is the exit code of `manage.py doctor`."""

    OK = 0
    WARNING = 1
    ERROR = 2


@dataclass(frozen=True, slots=True)
class Finding:
    level: Level
    text: str
    remedy: str = ""


def ok(text: str) -> Finding:
    return Finding(Level.OK, text)


def warning(text: str, remedy: str) -> Finding:
    return Finding(Level.WARNING, text, remedy)


def error(text: str, remedy: str) -> Finding:
    return Finding(Level.ERROR, text, remedy)


Check = Callable[[], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Result:
    """One finding of one check, as it's shown."""

    check: str
    level: Level
    text: str
    remedy: str

    def as_json(self) -> dict[str, str]:
        return {**asdict(self), "level": self.level.name.lower()}


def run(checks: dict[str, Check], seconds: float) -> list[Result]:
    """Run the checks at the same time, in threads that end with the process. A check that hasn't ended after `seconds`
    is an error, and so is one that raises.
    """
    found: dict[str, list[Finding]] = {}
    deadline = time.monotonic() + seconds
    threads = {
        name: threading.Thread(target=_work, args=(name, check, found), name=f"doctor {name}", daemon=True)
        for name, check in checks.items()
    }
    for thread in threads.values():
        thread.start()
    for thread in threads.values():
        thread.join(max(0.0, deadline - time.monotonic()))
    late = [
        error(
            f"The check didn't finish within {seconds:g} s.",
            "Check whether the service it calls is responding, then run it again.",
        )
    ]
    secrets = _secrets()
    return [
        Result(name, each.level, _without(secrets, each.text), _without(secrets, each.remedy))
        for name in checks
        for each in found.get(name, late)
    ]


def _work(name: str, check: Check, found: dict[str, list[Finding]]) -> None:
    try:
        found[name] = list(check())
    except DatabaseError as failure:
        found[name] = [
            error(f"The database refused the check: {_line(failure)}", "See the other findings about the database.")
        ]
    except Exception as failure:
        logger.debug("the check %s failed", name, exc_info=True)
        reason = f"{type(failure).__name__}: {_line(failure)}"
        found[name] = [
            error(
                f"The check failed: {reason}",
                "Fix what the message names. If nothing is wrong there, report a bug.",
            )
        ]
    finally:
        connections.close_all()


def _line(failure: Exception) -> str:
    return " ".join(str(failure).split())[:300]


def _secrets() -> list[str]:
    """The installation's secrets, longest first. A library's message may quote one."""
    database = settings.DATABASES["default"]
    found = {
        settings.SECRET_KEY,
        *settings.FIELD_ENCRYPTION_KEYS,
        *settings.WHATSAPP_APP_SECRETS,
        settings.WHATSAPP_VERIFY_TOKEN,
        settings.WHATSAPP_ACCESS_TOKEN,
        settings.OPENAI_API_KEY,
        settings.METRICS_TOKEN,
        settings.EMAIL_HOST_PASSWORD,
        str(database.get("PASSWORD", "")),
        str(settings.STORAGES["default"].get("OPTIONS", {}).get("secret_key", "")),
    }
    if settings.SANDBOX:
        found.discard("sandbox")  # a placeholder, and part of the sandbox's URLs
    return sorted((each for each in found if len(each) >= SHORTEST_SECRET), key=len, reverse=True)


def _without(secrets: list[str], text: str) -> str:
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    return text
