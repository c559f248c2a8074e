"""Tests of the tests: the product with one promise broken, chosen by the environment variable MUTANT.

    make faults MUTANT=no-fence

`python -m tests.faults.mutants NAME worker` is `manage.py worker` with that mutant.
"""

import os
import sys
from collections.abc import Callable

import django
from django.core.management import execute_from_command_line

NAMES = ("no-unique-wamid", "no-fence", "send-before-commit")


def chosen() -> str:
    """The mutant of this run; '' for none."""
    name = os.environ.get("MUTANT", "")
    assert name in ("", *NAMES), f"MUTANT is one of {NAMES}"
    return name


def _no_fence() -> None:
    """The gate takes any turn that is open, whoever holds it."""
    from assistant import turns  # noqa: PLC0415 - Django is set up now
    from assistant.models import Turn  # noqa: PLC0415

    turns.mine = lambda turn_id, generation: Turn.objects.filter(pk=turn_id).select_for_update().first()


def _send_before_commit() -> None:
    """*sending* is written after the call to Graph."""
    from conversations import outbox  # noqa: PLC0415
    from conversations.models import ConversationMessage  # noqa: PLC0415

    claim = outbox.claim

    def peek(message_id: int) -> object:
        outbound = claim(message_id)
        ConversationMessage.objects.filter(pk=message_id, status="sending").update(status="queued")
        return outbound

    outbox.claim = peek  # type: ignore[assignment]


PATCHES: dict[str, Callable[[], None]] = {"no-fence": _no_fence, "send-before-commit": _send_before_commit}


if __name__ == "__main__":
    name, *arguments = sys.argv[1:]
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    PATCHES.get(name, lambda: None)()
    execute_from_command_line(["manage.py", *arguments])
