"""The fault tests' server and worlds, and the table of faults and results."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from . import postgres, tally
from .mutants import chosen
from .processes import PRODUCTION
from .world import World

Worlds = Callable[..., World]


@pytest.fixture(scope="session")
def server() -> Iterator[postgres.Postgres]:
    with postgres.running({**postgres.plain_environment(), **PRODUCTION}) as running:
        yield running


@pytest.fixture
def worlds(server: postgres.Postgres, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Worlds]:
    """Creates a world with one tenant; keywords are settings."""
    made: list[World] = []

    def make(tenant: bool = True, **settings: Any) -> World:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        world = World(server.create(), folder, chosen(), **settings)
        made.append(world)
        if tenant:
            world.add_tenant()
        return world

    yield make
    for world in made:
        try:
            tally.add(request.node, world)
        finally:
            world.close()


@pytest.fixture
def world(worlds: Worlds) -> World:
    return worlds()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if lines := tally.table(terminalreporter):
        terminalreporter.section("What was injected, and what came out")
        for line in lines:
            terminalreporter.line(line)
