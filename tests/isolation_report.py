"""A summary of the isolation tests, printed at the end, from all processes of pytest-xdist."""

from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass
from typing import Any

import pytest

PROPERTY = "isolation"  # of a test's report, which xdist passes between processes
Report = Callable[..., None]


@dataclass(frozen=True)
class Line:
    """One person's walk. `answers`: how often each status occurred."""

    role: str
    routes: int
    requests: int
    refusals: int
    answers: str


@pytest.fixture
def isolation_report(record_property: Callable[[str, object], None]) -> Report:
    """Call it with who walked where, the numbers of routes and refusals, and how often each status occurred."""

    def add(role: str, routes: int, refusals: int, answers: Mapping[str, int]) -> None:
        met = ", ".join(f"{number} × {status}" for status, number in sorted(answers.items()))
        record_property(PROPERTY, astuple(Line(role, routes, sum(answers.values()), refusals, met)))

    return add


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    lines = [Line(*row) for row in _rows(terminalreporter)]
    if not lines:
        return
    terminalreporter.section("Isolation: who walked where, and was refused")
    heading = ("", "routes", "requests", "refused", "answers")
    for row in [heading, *sorted(astuple(line) for line in lines), _total(lines)]:
        terminalreporter.line("{:52} {:>6} {:>8} {:>8}   {}".format(*row))


def _total(lines: list[Line]) -> tuple[object, ...]:
    return ("all", "", sum(line.requests for line in lines), sum(line.refusals for line in lines), "")


def _rows(terminalreporter: pytest.TerminalReporter) -> list[Any]:
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, [])]
    found = [value for report in reports for name, value in report.user_properties if name == PROPERTY]
    return [row for row in found if isinstance(row, list | tuple)]
