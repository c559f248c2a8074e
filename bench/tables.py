"""What the bench prints: Markdown tables, ready for `docs/performance.md`."""

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path


class Skipped(Exception):
    """A part that can't run on this machine. The text says what is missing."""


def load() -> float:
    """The machine's load average over the last minute, the bench included."""
    return os.getloadavg()[0]


@dataclass(frozen=True)
class Goal:
    """One promise: what was measured, what was promised, and how busy the machine was."""

    what: str
    figure: str
    goal: str
    verdict: str
    load: float = field(default_factory=load)


def goal(what: str, figure: str, wanted: str, met: bool) -> Goal:
    return Goal(what, figure, wanted, "met" if met else "**missed**")


def no_result(part: str, verdict: str, why: str) -> Goal:
    return Goal(part, " ".join(why.split())[:100] or "no message", "", verdict)


def print_goals(goals: Sequence[Goal]) -> None:
    rows = [[row.what, row.figure, row.goal, row.verdict, row.load] for row in goals]
    print_table("Goals", ["what", "figure", "goal", "", "load"], rows)


def print_table(title: str, heads: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    print(f"\n### {title}\n")
    print("| " + " | ".join(heads) + " |")
    print("|" + "---|" * len(heads))
    for row in rows:
        print("| " + " | ".join(shown(cell) for cell in row) + " |")
    print(flush=True)


def shown(cell: object) -> str:
    if isinstance(cell, float):
        return f"{cell:,.0f}" if abs(cell) >= 100 else f"{cell:.1f}" if abs(cell) >= 10 else f"{cell:.2f}"
    return str(cell)


def percentile(values: Sequence[float], part: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part / 100))] if ordered else 0.0


def ratio(one: float, other: float) -> float:
    """`one` divided by `other`; infinite when there is nothing to divide by."""
    return one / other if other else float("inf")


def machine(postgres: str) -> str:
    """One line that says what the figures were measured on."""
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    memory = Path("/proc/meminfo").read_text().split()[1]
    processor = models[0].partition(":")[2].strip() if models else platform.machine()
    return (
        f"{os.cpu_count()} cores of {processor}, {int(memory) // 1_000_000} GB, {platform.system()} "
        f"{platform.release()}, Python {platform.python_version()}, {postgres}; load at the start {load():.1f}"
    )
