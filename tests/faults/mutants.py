"""Tests of the tests: the product with one promise broken, chosen by the environment variable MUTANT.

`python -m tests.faults.mutants NAME worker` is `manage.py worker` with that mutant; `mutated_wsgi` is the web.
None of this is in the product.
"""

import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import django
from django.core.management import execute_from_command_line

from runtime.row_security import scope


def chosen() -> str:
    """The mutant of this run; '' for none."""
    name = os.environ.get("MUTANT", "")
    assert name in ("", *PATCHES), f"MUTANT is one of {', '.join(PATCHES)}"
    return name


def apply(name: str) -> None:
    """Call it in the process to break, after Django is set up."""
    PATCHES[name]()


def _no_unique_wamid() -> None:
    """A message is stored each time it arrives; `UNGUARDED` drops the index."""
    from conversations.history import messages as history  # noqa: PLC0415 - Django is set up now

    conflict = "ON CONFLICT (conversation_id, external_id) WHERE external_id IS NOT NULL DO NOTHING"
    assert conflict in history._INSERT
    history._INSERT = history._INSERT.replace(conflict, "")


def _no_fence() -> None:
    """A turn is closed whoever holds it by now."""
    from assistant.turns import closing  # noqa: PLC0415

    closing.is_mine = lambda turn, claim: True


def _no_splitting() -> None:
    """A batch with bad data fails as a whole."""
    from runtime import batching  # noqa: PLC0415

    async def store(self: Any, batch: list[Any]) -> None:
        try:
            results = await self._write([entry.item for entry in batch])
        except Exception as error:  # noqa: BLE001 - the mutant
            for entry in batch:
                entry.fail(error)
            return
        for entry, result in zip(batch, results, strict=True):
            entry.result.set_result(result)

    batching.Batcher._store = store  # type: ignore[method-assign]


def _send_before_commit() -> None:
    """*sending* is written after the call to Graph, together with the outcome."""
    from conversations.models import ConversationMessage  # noqa: PLC0415
    from conversations.outbox import claiming, recording  # noqa: PLC0415
    from conversations.outbox.senders import Outbound  # noqa: PLC0415

    claim, record = claiming.claim, recording.record
    taken: set[int] = set()

    def put(message_ids: Iterable[int], before: str, after: str) -> None:
        ConversationMessage.objects.filter(pk__in=list(message_ids), status=before).update(status=after)

    def unwritten(shares: Any) -> Any:
        claimed = claim(shares)
        rows = [row for row in claimed.rows if row.message_id not in taken]
        taken.update(row.message_id for row in rows if isinstance(row, Outbound))
        put(taken, "sending", "queued")
        return replace(claimed, rows=rows, more=False)

    def late(attempts: Any) -> Any:
        put([attempt.message_id for attempt in attempts], "queued", "sending")
        return record(attempts)

    claiming.claim, recording.record = unwritten, late


PATCHES: dict[str, Callable[[], None]] = {
    "no-unique-wamid": _no_unique_wamid,
    "no-fence": _no_fence,
    "no-splitting": _no_splitting,
    "send-before-commit": _send_before_commit,
}
# What the mutant removes from the database.
UNGUARDED = {"no-unique-wamid": "DROP INDEX message_once_by_wamid"}


if __name__ == "__main__":
    mutant, *arguments = sys.argv[1:]
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    scope.open_process()
    django.setup()
    apply(mutant)
    execute_from_command_line(["manage.py", *arguments])
