"""Counts for the table that `make faults` prints at the end."""

from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .world import World

HEADINGS = ("injected", "accepted", "lost", "replies", "doubles", "uncertain", "failed")


@dataclass
class Line:
    """Results. accepted: messages whose webhook got a 200. lost: accepted, but neither stored nor quarantined."""

    injected: str
    accepted: int = 0
    lost: int = 0
    replies: int = 0
    doubles: int = 0
    uncertain: int = 0
    failed: int = 0


_lines: dict[str, Line] = {}


def add(node: Any, world: "World") -> None:
    """Rows are named after the module and test. Parameters and repetitions are added up."""
    name = f"{node.module.__name__.rpartition('.test_')[2]}: {node.originalname.removeprefix('test_')}"
    line = _lines.setdefault(name, Line(name.replace("_", " ")))
    found = set(world.database.column("SELECT external_id FROM conversation_messages WHERE role = 'user'"))
    aside = str(world.one("SELECT coalesce(string_agg(raw::text, ''), '') FROM quarantined_events"))
    states = world.database.column("SELECT status FROM conversation_messages WHERE role = 'assistant'")
    keys = [call.opaque for call in world.wire.accepted]
    line.accepted += len(world.meta.acknowledged)
    line.lost += sum(wamid not in found and wamid not in aside for wamid in world.meta.acknowledged)
    line.replies += len(keys)
    line.doubles += len(keys) - len(set(keys))
    line.uncertain += states.count("uncertain")
    line.failed += states.count("failed")


def table() -> list[str]:
    """In Markdown, as in docs/reliability.md."""
    if not _lines:
        return []
    numbers = [astuple(line)[1:] for line in _lines.values()]
    total = ("all", *(sum(column) for column in zip(*numbers, strict=True)))
    rows = [HEADINGS, ("---", *["---:"] * (len(HEADINGS) - 1)), *(astuple(line) for line in _lines.values()), total]
    return ["| " + " | ".join(map(str, row)) + " |" for row in rows]
