"""Everything that happens to a conversation, in any order: I1 to I6 after each step."""

from typing import Any

import httpx2
import hypothesis
import pytest
from hypothesis.stateful import run_state_machine_as_test

from runtime import crashpoints
from tests.stage import Stage

from .machine import Conversing

pytestmark = pytest.mark.faults


@pytest.fixture
def machine(stage: Stage, settings: Any, monkeypatch: pytest.MonkeyPatch) -> type[Conversing]:
    settings.MULTITENANT_ENABLED = True
    settings.SWEEP_SECONDS = 0
    Conversing.stage = stage
    stage.network.model, stage.network.graph = _to_model, _to_graph
    monkeypatch.setattr(crashpoints, "reach", lambda name: Conversing.current.reach(name))
    return Conversing


async def _to_model(request: httpx2.Request) -> httpx2.Response:
    return await Conversing.current.to_model(request)


async def _to_graph(request: httpx2.Request) -> httpx2.Response:
    return await Conversing.current.to_graph(request)


@pytest.mark.parametrize(
    ("examples", "steps"), [(15, 20), pytest.param(100, 40, marks=pytest.mark.slow)], ids=["short", "long"]
)
def test_the_promises_hold_after_every_step(machine: type[Conversing], examples: int, steps: int) -> None:
    how = hypothesis.settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(hypothesis.HealthCheck),
        print_blob=True,
    )
    run_state_machine_as_test(machine, settings=how)
