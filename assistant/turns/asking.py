"""Asks the model for one turn. What its service refuses is found, and left out, so that the rest is answered."""

import logging
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field

from django.conf import settings

from assistant.files import images
from assistant.model import retries
from assistant.model.errors import ModelFailed
from assistant.model.learning import Endpoint
from assistant.model.retries import Outcome
from runtime.untrusted_json import Json

from .loading import ClaimedTurn
from .steps import Step

logger = logging.getLogger(__name__)

MOST_SEARCHES = 12  # calls that look for what is refused
# After these failures, an image may be to blame; also after any whose reason names one.
MAY_BE_AN_IMAGE = {"content_filter", "bad_request", "context_length_exceeded"}
NAMES_AN_IMAGE = ("image", "vision", "picture", "multimodal", "mmproj")


@dataclass(frozen=True, slots=True)
class Answer:
    """refused, refused_images: why the service refuses a message or an image, by message and attachment ID."""

    outcome: Outcome
    refused: dict[int, str]
    refused_images: dict[int, str]


class _Stop(Exception):
    """The search ends with what has been found so far."""


async def ask(
    claim: ClaimedTurn, endpoint: Endpoint, started: float, tools: Sequence[Json] = (), steps: Sequence[Step] = ()
) -> Answer:
    """The model's answer to this turn's messages, or to those of them that its service accepts.

    started: when the turn's time began, by the monotonic clock. tools: what it may call. steps: its calls so far.
    """
    asking = _Asking(claim, endpoint, started, tools, [message for step in steps for message in step.as_messages()])
    await asking.run()
    return asking.answer()


@dataclass(slots=True)
class _Asking:
    claim: ClaimedTurn
    endpoint: Endpoint
    started: float
    tools: Sequence[Json]
    steps: Sequence[Json]
    outcomes: list[Outcome] = field(default_factory=list)
    kind: str = ""  # of the first failure
    refused: dict[int, str] = field(default_factory=dict)
    refused_images: dict[int, str] = field(default_factory=dict)

    async def run(self) -> None:
        shown = [each.id for each in self.claim.shown]
        pictures = [pk for each in self.claim.shown for pk in each.images]
        failure = await self._call(shown, pictures)
        if failure is None:
            return
        self.kind = failure.kind
        try:
            if pictures and _may_be_an_image(failure) and await self._accepts(shown, []):
                await self._find(pictures, lambda some: self._accepts(shown, some), self.refused_images)
            elif self.kind == "content_filter":
                await self._find(shown, lambda some: self._accepts(some, []), self.refused)
        except _Stop:
            logger.info("conv_id=%s: couldn't find everything that the model refuses", self.claim.conversation_id)

    def answer(self) -> Answer:
        """The outcome has the last completion, which answers the most messages. The others are billed, too."""
        completions = [each.completion for each in self.outcomes if each.completion]
        last = self.outcomes[-1]
        outcome = Outcome(
            completion=completions[-1] if completions else None,
            failure=None if completions else last.failure,
            postpone_seconds=None if completions else last.postpone_seconds,
            seconds=time.monotonic() - self.started,
            cost_unknown=any(each.cost_unknown for each in self.outcomes),
            unused=[*(one for each in self.outcomes for one in each.unused), *completions[:-1]],
        )
        # A service that refuses one message after the other may refuse everything just now.
        is_sure = bool(completions) or len(self._open) == 1
        return Answer(outcome, self.refused if is_sure else {}, self.refused_images)

    async def _find(
        self, everything: Sequence[int], accepts: Callable[[Collection[int]], Awaitable[bool]], refused: dict[int, str]
    ) -> None:
        """Find what is refused, one by one, until the rest is accepted."""
        rest = everything
        while rest:
            group, accepted = rest, set[int]()
            while len(group) > 1:
                middle = self._middle(group)
                # The newer half first: it has the messages to answer.
                if await accepts(accepted | set(group[middle:])):
                    accepted |= set(group[middle:])
                    group = group[:middle]
                else:
                    group = group[middle:]
            refused[group[0]] = next(each.failure.detail for each in reversed(self.outcomes) if each.failure)
            rest = [pk for pk in rest if pk not in refused]
            if set(rest) == accepted or await accepts(rest):
                return

    def _middle(self, group: Sequence[int]) -> int:
        """Where to halve: between the messages that are answered already and those that aren't, if it has both."""
        answered = sum(pk not in self._open for pk in group)
        return answered if 0 < answered < len(group) else len(group) // 2

    @property
    def _open(self) -> set[int]:
        return {each.id for each in self.claim.shown if each.role == "user" and each.id >= self.claim.first_message_id}

    async def _accepts(self, messages: Collection[int], pictures: Collection[int]) -> bool:
        """Whether the service answers these messages. Raises _Stop if it can't be found out."""
        is_over = time.monotonic() - self.started > settings.MODEL_TURN_SECONDS
        if is_over or len(self.outcomes) > MOST_SEARCHES or not self._open & set(messages):
            raise _Stop
        failure = await self._call(messages, pictures)
        if failure and failure.kind != self.kind:
            raise _Stop
        return failure is None

    async def _call(self, messages: Collection[int], pictures: Collection[int]) -> ModelFailed | None:
        """Ask with these messages and images."""
        chosen = [
            each.as_message(without=set(each.images) - set(pictures))
            for each in self.claim.shown
            if each.id in messages
        ]
        prompt = self.claim.situation.added_to(
            await images.with_data(chosen),
            self.claim.assistant,
            [*self.claim.sections, *self.claim.passages],
            len(self._open & set(messages)),
        )
        self.outcomes.append(
            await retries.complete(
                prompt,
                self.claim.assistant,
                self.claim.pauses,
                self.endpoint,
                self.started,
                self.tools,
                self.steps,
                self.claim.beginning,
                self.claim.known,
            )
        )
        return self.outcomes[-1].failure


def _may_be_an_image(failure: ModelFailed) -> bool:
    if failure.rule.stop_endpoint or failure.kind == "endpoint_paused":
        return False
    return failure.kind in MAY_BE_AN_IMAGE or any(word in failure.detail.lower() for word in NAMES_AN_IMAGE)
