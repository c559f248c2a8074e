"""One turn's conversation with the model: it may call tools before it replies."""

import dataclasses
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

from assistant.knowing.knowledge import Cited, Knowledge, consult
from assistant.model.errors import Completion
from assistant.model.learning import Endpoint
from assistant.prompt import parts, recall
from assistant.tools.looking_up import LOOK_UP
from assistant.tools.own import CHANGING, HAND_OVER, NOT_ASKED, ToolCall
from conversations.choices import HandoverReason
from knowledge.unanswered import LONGEST
from runtime import crashpoints
from runtime.untrusted_json import Json, as_dict, one_line

from . import asking
from .closing import FinishedTurn, Unknown
from .loading import ClaimedTurn
from .steps import MOST_STEPS, NewStep, Step

_QUESTION_MARK = re.compile("[?？؟՞፧⸮⁇⁈⁉‽¿]")


async def converse(claim: ClaimedTurn, store: Callable[[NewStep], Awaitable[bool]]) -> FinishedTurn:
    """Ask the model. While it calls tools, `store` its calls as steps and ask again, with their results."""
    endpoint = Endpoint(claim.dialect, cache_key=f"conversation-{claim.conversation_id}")
    started = time.monotonic()
    recalled = await recall.recall(claim.older, claim.question, claim.previous)
    if recalled.text:
        claim = dataclasses.replace(claim, sections=[*claim.sections, recalled.text])
    given, knowledge = claim, Knowledge(claim.assistant)
    if claim.has_knowledge:
        knowledge = await consult(claim.assistant, claim.question, claim.previous)
        claim = dataclasses.replace(
            claim,
            assistant=knowledge.instructed(),
            beginning=knowledge.beginning(),
            passages=knowledge.sections(),
            known=knowledge.known(),
        )
    tools = [*claim.toolbox.definitions(), *knowledge.tools]
    taken, spent = [await _again(step, knowledge) for step in claim.steps], list[Completion]()
    asked_for: dict[str, Json] | None = None
    while True:
        found = await asking.ask(claim, endpoint, started, tools if len(taken) < MOST_STEPS else (), taken)
        answer = found.outcome.completion
        calls = list(answer.tool_calls) if answer else []
        if asked_for is None and claim.has_data and any(call.name in CHANGING for call in calls):
            asked_for, checked = await _asked_for(claim, endpoint, started, tools)
            spent += checked
        calls = [_as_asked(call, asked_for) for call in calls]
        results = [await _result(call, claim, knowledge) for call in calls]
        last = Step(answer.text if answer else "", calls, results, max(claim.seen_ids, default=0))
        # Calls that are written into a reply don't need another answer, unless they ask for something.
        is_done = bool(answer and answer.text) and not any(call.id or call.name == LOOK_UP for call in calls)
        if answer is None or not calls or is_done:
            break
        taken.append(last)
        await store(NewStep(claim.turn_id, claim.generation, len(taken) - 1, last))
        crashpoints.reach("C25")
        spent += found.outcome.billed
        claim = dataclasses.replace(claim, known=knowledge.known())
    made = [call for step in (*taken, last) for call in step.calls if not call.is_refused]
    cited = knowledge.cited(answer.text if answer else "")
    return FinishedTurn(
        given,
        dataclasses.replace(
            found.outcome,
            completion=dataclasses.replace(answer, text=cited.text) if answer else None,
            unused=[*spent, *found.outcome.unused],
        ),
        refused=found.refused,
        refused_images=found.refused_images,
        calls=made,
        prompt=parts.recorded(
            given.assistant,
            tools,
            claim.shown,
            claim.situation.described(claim.assistant),
            recalled,
            knowledge.passages,
        ),
        sources=cited.passages,
        unknown_question=_unknown(claim, knowledge, cited, made),
    )


async def _result(call: ToolCall, claim: ClaimedTurn, knowledge: Knowledge) -> str:
    if call.is_refused:
        return NOT_ASKED
    return await knowledge.result(call) if call.name == LOOK_UP else claim.toolbox.result(call)


async def _again(step: Step, knowledge: Knowledge) -> Step:
    """A step of a lost claim. What it looked up is looked up again, so that the passages have their numbers."""
    results = [
        await knowledge.result(call) if call.name == LOOK_UP else said
        for call, said in zip(step.calls, step.results, strict=True)
    ]
    return dataclasses.replace(step, results=results)


def _unknown(claim: ClaimedTurn, knowledge: Knowledge, cited: Cited, calls: Sequence[ToolCall]) -> Unknown | None:
    """What the customer asked and the assistant couldn't answer."""
    reasons = [call.arguments.get("reason") for call in calls if call.name == HAND_OVER]
    is_handed_over = HandoverReason.CANT_ANSWER in reasons
    is_question = bool(_QUESTION_MARK.search(claim.question))
    if is_handed_over and not is_question and _QUESTION_MARK.search(claim.previous):
        # "Yes, please": the customer accepts the offer that followed their question.
        return Unknown(claim.previous_id, one_line(claim.previous, LONGEST))
    seems_asked = is_question and not reasons and not knowledge.is_known and not cited.passages
    if cited.cannot_answer or is_handed_over or seems_asked:
        return Unknown(max(claim.seen_ids), one_line(claim.question, LONGEST))
    return None


async def _asked_for(
    claim: ClaimedTurn, endpoint: Endpoint, started: float, tools: Sequence[Json]
) -> tuple[dict[str, Json], list[Completion]]:
    """The tools that the customer's own words ask for, with their arguments, and the answers that it took.

    The prompt contains text from elsewhere, such as a document, which may have told the model what to do. So the model
    is asked again without it, and only what it calls then is done.
    """
    changing = [tool for tool in tools if as_dict(tool["function"])["name"] in CHANGING]
    clean, taken, billed = claim.without_data(), list[Step](), list[Completion]()
    while len(taken) < MOST_STEPS:
        outcome = (await asking.ask(clean, endpoint, started, changing, taken)).outcome
        billed += outcome.billed
        calls = outcome.completion.tool_calls if outcome.completion else ()
        if not calls:
            break
        taken.append(Step("", calls, [claim.toolbox.result(call) for call in calls], 0))
    made: dict[str, Json] = {}
    for call in (call for step in taken for call in step.calls if call.name in CHANGING):
        made[call.name] = {**made.get(call.name, {}), **(as_dict(call.arguments.get("fields")) or call.arguments)}
    return made, billed


def _as_asked(call: ToolCall, asked_for: Mapping[str, Json] | None) -> ToolCall:
    """The call as the customer's own words ask for it, or refused."""
    if asked_for is None or call.name not in CHANGING:
        return call
    return dataclasses.replace(
        call, arguments=asked_for.get(call.name, call.arguments), is_refused=call.name not in asked_for
    )
