"""Calls the model for one turn: `complete` retries `chat_with_gpt` as `errors.RULES` says."""

import asyncio
import copy
import logging
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from django.conf import settings
from django.db.models.functions import Now

from assistant.dialects import Dialect
from assistant.models import Assistant
from assistant.replies.checking import NOTHING_KNOWN, Known, check
from conversations.outbox.pauses import Pause, active_pause, fingerprint
from runtime.clock import from_now
from runtime.database import database_sync_to_async
from runtime.processes import counters

from .client import unread, usable_key
from .errors import (
    MAX_ATTEMPTS,
    MAX_POSTPONE_SECONDS,
    POSTPONE_SECONDS,
    STOP_SECONDS,
    Completion,
    ModelFailed,
    at_least,
    jittered,
    scaled,
)
from .learning import Endpoint

logger = logging.getLogger(__name__)

MORE_ROOM, LEAST_ROOM = 4, 4096  # for a model that reasons: this many times the output tokens, and at least this many

# Said to the model, not shown to anyone.
OBJECTION = (
    "(From the system, not from the customer:) Your reply wasn't sent: {}. Write it again without that. "
    "If you don't know something, say so."
)

Messages = Sequence[dict[str, object]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a turn's model calls: a completion, or a failure and possibly when to try again.

    postpone_seconds: the model is rate-limited; the turn is due again after this time. The caller counts postponements.
    cost_unknown: an attempt ended without an answer but may still be billed.
    unused: answers that were billed but couldn't be used.
    """

    completion: Completion | None
    failure: ModelFailed | None
    postpone_seconds: float | None
    seconds: float
    cost_unknown: bool
    unused: Sequence[Completion] = ()

    @property
    def billed(self) -> Sequence[Completion]:
        """All answers, used or not."""
        return [*self.unused, self.completion] if self.completion else self.unused


async def complete(
    messages: Messages,
    assistant: Assistant | None = None,
    pauses: Sequence[Pause] | None = None,
    endpoint: Endpoint | None = None,
    started: float | None = None,
    tools: Messages = (),
    steps: Messages = (),
    beginning: Messages = (),
    known: Known = NOTHING_KNOWN,
) -> Outcome:
    """Call the model until it answers or the table says to stop, for at most `settings.MODEL_TURN_SECONDS`.

    pauses: the active pauses of model endpoints. endpoint: what is known about the assistant's. Both are read from the
    database if they aren't given. started: when the turn's time began, by the monotonic clock, if that's not now.
    tools: what the model may call. steps: its calls so far and their results, which follow the messages. beginning:
    what comes before the messages and is never left out. known: what these texts contain of the business's knowledge.
    """
    assistant = assistant or Assistant()
    begin = time.monotonic() if started is None else started
    if endpoint is None:
        endpoint = Endpoint(
            await database_sync_to_async(Dialect.of)(assistant.tenant_id, assistant.endpoint, assistant.model_name)
        )
    return await ModelRequest(messages, assistant, pauses, endpoint, begin, tools, steps, beginning, known).run()


@dataclass(slots=True)
class ModelRequest:
    messages: Messages
    assistant: Assistant
    pauses: Sequence[Pause] | None
    endpoint: Endpoint
    started: float
    tools: Messages = ()
    steps: Messages = ()
    beginning: Messages = ()
    known: Known = NOTHING_KNOWN
    attempts: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    cost_unknown: bool = False
    unused: list[Completion] = field(default_factory=list)
    objection: Messages = ()

    async def run(self) -> Outcome:
        failure = await self._refused_beforehand()
        while failure is None:
            try:
                completion = await self._attempt()
            except ModelFailed as error:
                failure = error
            counters.count("parley_model_calls_total", outcome=failure.kind if failure else "answered")
            if failure is None:
                return self._outcome(completion=completion)
            self.failures[failure.kind] += 1
            self.cost_unknown = self.cost_unknown or failure.rule.cost_unknown
            if failure.billed:
                self.unused.append(failure.billed)
            self._warn(failure)
            if await self._try_again(failure):
                failure = None
        return await self._give_up(failure)

    async def _refused_beforehand(self) -> ModelFailed | None:
        try:
            key = usable_key(self.assistant)
        except ModelFailed as failure:
            self._warn(failure)
            return failure
        if self.pauses is None:
            pause = await database_sync_to_async(active_pause)([scope(self.assistant)], key)
        else:
            mine = scope(self.assistant)
            pause = next((each for each in self.pauses if each.scope == mine and each.holds(key)), None)
        if pause is None:
            return None
        paused = ModelFailed("endpoint_paused", f"not called: {pause.reason}")
        self._warn(paused)
        return paused

    async def _attempt(self) -> Completion:
        self.attempts += 1
        try:
            async with asyncio.timeout(self._left()):
                messages = [*self.beginning, *self.messages, *self.steps, *self.objection]
                completion = await self.endpoint.ask(messages, self.assistant, self.tools)
        except TimeoutError:
            detail = f"the turn's {settings.MODEL_TURN_SECONDS:g} s have passed"
            raise ModelFailed("timeout", detail, billed=unread(self.messages, self.assistant)) from None
        return check(completion, self.assistant, self.messages, steps=self.steps, known=self.known)

    async def _try_again(self, failure: ModelFailed) -> bool:
        """Whether to try again, after waiting."""
        if failure.rule.halve_history:
            return self._halve()
        if self.attempts >= MAX_ATTEMPTS:
            return False
        used = self.failures[failure.kind] - 1
        if used >= len(failure.rule.waits):
            return False
        asked = failure.retry_after if failure.rule.postpone else None
        if failure.rule.objects and failure.billed:
            self.objection = [
                {"role": "assistant", "content": failure.billed.text},
                {"role": "user", "content": OBJECTION.format(failure.detail)},
            ]
        if failure.rule.more_room:
            self.assistant = copy.copy(self.assistant)
            self.assistant.max_output_tokens = max(MORE_ROOM * self.assistant.max_output_tokens, LEAST_ROOM)
        wait = jittered(failure.rule.waits[used]) if asked is None else at_least(asked)
        if wait >= self._left():
            return False
        await asyncio.sleep(wait)
        return True

    def _halve(self) -> bool:
        """Drop the older half. The rest begins with a customer's message if possible."""
        if len(self.messages) < 2 or self._left() <= 0:
            return False
        half = len(self.messages) - len(self.messages) // 2
        kept = self.messages[-half:] if half < len(self.messages) else self.messages[1:]
        asked = [index for index, message in enumerate(kept) if message.get("role") == "user"]
        self.messages = kept[asked[0] :] if asked else kept
        return True

    async def _give_up(self, failure: ModelFailed) -> Outcome:
        if failure.rule.stop_endpoint:
            await database_sync_to_async(_stop)(self.assistant, failure)
        if failure.rule.tell_operators:
            logger.error("[AI] %s %s", failure, failure.rule.advice)
        if not failure.rule.postpone:
            return self._outcome(failure=failure)
        seconds = POSTPONE_SECONDS if failure.retry_after is None else failure.retry_after
        return self._outcome(failure=failure, postpone=at_least(min(seconds, MAX_POSTPONE_SECONDS)))

    def _left(self) -> float:
        return float(settings.MODEL_TURN_SECONDS) - (time.monotonic() - self.started)

    def _warn(self, failure: ModelFailed) -> None:
        logger.warning("[AI] attempt %d of %d failed: %s", self.attempts, MAX_ATTEMPTS, failure)

    def _outcome(
        self, completion: Completion | None = None, failure: ModelFailed | None = None, postpone: float | None = None
    ) -> Outcome:
        return Outcome(
            completion=completion,
            failure=failure,
            postpone_seconds=postpone,
            seconds=time.monotonic() - self.started,
            cost_unknown=self.cost_unknown,
            unused=self.unused,
        )


def scope(assistant: Assistant) -> str:
    """The pause for this URL and key, `model:<URL>:<hash of the key>`: other tenants' keys aren't affected. Without the
    URL's user, password and query, which may be secrets.
    """
    url = urlsplit(assistant.endpoint)
    address = f"{url.scheme}://{url.netloc.rpartition('@')[2]}{url.path}"
    return f"model:{address[:260]}:{fingerprint(assistant.key.strip())}"


def _stop(assistant: Assistant, failure: ModelFailed) -> None:
    """One statement, because many turns fail at the same time."""
    pause = Pause(
        scope=scope(assistant),
        reason=str(failure),
        credential=fingerprint(assistant.key.strip()),
        until=from_now(scaled(STOP_SECONDS)),
        since=Now(),
    )
    columns = ["reason", "credential", "until", "since"]
    Pause.objects.bulk_create([pause], update_conflicts=True, unique_fields=["scope"], update_fields=columns)
