"""The table that `make faults` prints at the end, from all processes of pytest-xdist."""

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .world import World

PROPERTY = "faults"  # of a test's report, which xdist passes between processes
HEADINGS = ("injected", "accepted", "lost", "replies", "doubles", "uncertain", "failed")


def add(node: Any, world: "World") -> None:
    """Record one world's results. lost: accepted, but neither stored nor quarantined."""
    name = f"{node.module.__name__.rpartition('.test_')[2]}: {node.originalname.removeprefix('test_')}"
    found = set(world.database.column("SELECT external_id FROM conversation_messages WHERE role = 'user'"))
    aside = str(world.one("SELECT coalesce(string_agg(raw::text, ''), '') FROM quarantined_events"))
    states = world.database.column("SELECT status FROM conversation_messages WHERE role = 'assistant'")
    keys = [call.opaque for call in world.wire.accepted]
    accepted = world.meta.acknowledged
    lost = sum(wamid not in found and wamid not in aside for wamid in accepted)
    doubles = len(keys) - len(set(keys))
    row = (len(accepted), lost, len(keys), doubles, states.count("uncertain"), states.count("failed"))
    node.user_properties.append((PROPERTY, (name.replace("_", " "), *row)))


def table(terminalreporter: pytest.TerminalReporter) -> list[str]:
    """In Markdown, as in docs/reliability.md. Parameters and repetitions of a test are added up."""
    counts: defaultdict[str, list[int]] = defaultdict(lambda: [0] * (len(HEADINGS) - 1))
    for report in (report for reports in terminalreporter.stats.values() for report in reports):
        # A world is closed, and counted, in its test's teardown.
        if getattr(report, "when", "") == "teardown":
            for name, value in report.user_properties:
                if name == PROPERTY:
                    injected, *numbers = value
                    counts[injected] = [one + other for one, other in zip(counts[injected], numbers, strict=True)]
    if not counts:
        return []
    total = [sum(column) for column in zip(*counts.values(), strict=True)]
    rows = [HEADINGS, ("---", *["---:"] * len(total)), *((name, *counts[name]) for name in sorted(counts))]
    return ["| " + " | ".join(map(str, row)) + " |" for row in [*rows, ("all", *total)]]
