"""Tests of the tests: the product with one promise broken, chosen by the environment variable MUTANT.

`python -m tests.faults.mutants NAME worker` is `manage.py worker` with that mutant; `mutated_wsgi` is the web.
Nothing of this is in the product.
"""

import os
import sys
from collections.abc import Callable

import django
from django.core.management import execute_from_command_line


def chosen() -> str:
    """The mutant of this run; '' for none."""
    name = os.environ.get("MUTANT", "")
    assert name in ("", *PATCHES), f"MUTANT is one of {', '.join(PATCHES)}"
    return name


def apply(name: str) -> None:
    """In the process that is to be wrong, once Django is set up."""
    PATCHES[name]()


def _no_unique_wamid() -> None:
    """A message is stored as often as it comes; `UNGUARDED` has dropped the index."""
    from conversations.history import messages as history  # noqa: PLC0415 - Django is set up now

    conflict = "ON CONFLICT (conversation_id, external_id) WHERE external_id IS NOT NULL DO NOTHING"
    assert conflict in history._INSERT
    history._INSERT = history._INSERT.replace(conflict, "")


def _no_fence() -> None:
    """A worker takes the turn for its own, whoever holds it by now."""
    from assistant.models import Turn  # noqa: PLC0415
    from assistant.turns import opening  # noqa: PLC0415

    opening.mine = lambda turn_id, generation: Turn.objects.filter(pk=turn_id).select_for_update().first()


def _send_before_commit() -> None:
    """*sending* is written after the call to Graph, with what came of it."""
    from conversations.models import ConversationMessage  # noqa: PLC0415
    from conversations.outbox import queue as outbox  # noqa: PLC0415

    claim, sent, failed = outbox.claim, outbox.record_sent, outbox.record_failure

    def put(message_id: int, before: str, after: str) -> None:
        ConversationMessage.objects.filter(pk=message_id, status=before).update(status=after)

    def unwritten(message_id: int) -> object:
        outbound = claim(message_id)
        put(message_id, "sending", "queued")
        return outbound

    def late(record: Callable[..., object]) -> Callable[..., object]:
        def write(message_id: int, result: object) -> object:
            put(message_id, "queued", "sending")
            return record(message_id, result)

        return write

    outbox.claim = unwritten  # type: ignore[assignment]
    outbox.record_sent, outbox.record_failure = late(sent), late(failed)  # type: ignore[assignment]


PATCHES: dict[str, Callable[[], None]] = {
    "no-unique-wamid": _no_unique_wamid,
    "no-fence": _no_fence,
    "send-before-commit": _send_before_commit,
}
# What the mutant takes from the database.
UNGUARDED = {"no-unique-wamid": "DROP INDEX message_once_by_wamid"}


if __name__ == "__main__":
    mutant, *arguments = sys.argv[1:]
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    apply(mutant)
    execute_from_command_line(["manage.py", *arguments])
