"""One turn's conversation with the model: it may call tools before it replies."""

import dataclasses
import time
from collections.abc import Awaitable, Callable

from assistant.model.errors import Completion
from assistant.model.learning import Endpoint
from runtime import crashpoints

from . import asking
from .closing import FinishedTurn
from .loading import ClaimedTurn
from .steps import MOST_STEPS, NewStep, Step


async def converse(claim: ClaimedTurn, store: Callable[[NewStep], Awaitable[bool]]) -> FinishedTurn:
    """Ask the model. While it calls tools, `store` its calls as steps and ask again, with their results."""
    endpoint, started = Endpoint(claim.dialect), time.monotonic()
    tools = claim.toolbox.definitions()
    taken, spent = list(claim.steps), list[Completion]()
    while True:
        found = await asking.ask(claim, endpoint, started, tools if len(taken) < MOST_STEPS else (), taken)
        answer = found.outcome.completion
        calls = answer.tool_calls if answer else ()
        # Calls that are written into a reply don't need another answer.
        if answer is None or not calls or (answer.text and not any(call.id for call in calls)):
            break
        results = [claim.toolbox.result(call) for call in calls]
        taken.append(Step(answer.text, calls, results, max(claim.seen_ids)))
        await store(NewStep(claim.turn_id, claim.generation, len(taken) - 1, taken[-1]))
        crashpoints.reach("C25")
        spent += found.outcome.billed
    return FinishedTurn(
        claim,
        dataclasses.replace(found.outcome, unused=[*spent, *found.outcome.unused]),
        refused=found.refused,
        refused_images=found.refused_images,
        calls=[*(call for step in taken for call in step.calls), *calls],
    )
