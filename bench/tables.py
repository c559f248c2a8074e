"""What the bench prints: tables in Markdown, so that `docs/performance.md` can hold them as they are."""

import os
import platform
from collections.abc import Sequence
from pathlib import Path


def percentile(values: Sequence[float], part: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part / 100))] if ordered else 0.0


def table(title: str, heads: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    print(f"\n### {title}\n")
    print("| " + " | ".join(heads) + " |")
    print("|" + "---|" * len(heads))
    for row in rows:
        print("| " + " | ".join(_shown(cell) for cell in row) + " |")
    print(flush=True)


def _shown(cell: object) -> str:
    if isinstance(cell, float):
        return f"{cell:,.0f}" if abs(cell) >= 100 else f"{cell:.1f}" if abs(cell) >= 10 else f"{cell:.2f}"
    return str(cell)


def verdict(met: bool) -> str:
    return "met" if met else "**missed**"


def machine(postgres: str) -> str:
    """One line that says on what all this was measured."""
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    memory = Path("/proc/meminfo").read_text().split()[1]
    processor = models[0].partition(":")[2].strip() if models else platform.machine()
    busy = os.getloadavg()[0]
    return (
        f"{os.cpu_count()} cores of {processor}, {int(memory) // 1_000_000} GB, {platform.system()} "
        f"{platform.release()}, Python {platform.python_version()}, {postgres}; load at the start {busy:.1f}"
    )
