"""Tests a model's endpoint: asks it a few questions, and reports what it accepts."""

import asyncio
import copy
from collections.abc import Sequence
from dataclasses import dataclass, field

from runtime.untrusted_json import Json

from .dialects import Dialect
from .files import images
from .model.errors import Completion, ModelFailed
from .model.learning import Endpoint
from .models import Assistant

SECONDS = 90  # for all questions together
TEMPERATURE = 0.7  # if the assistant has none
# Begins with the business, and has neighbours of the same role: what endpoints accept differs in this.
TALK: list[Json] = [
    {"role": "assistant", "content": "Hello! How can I help you?"},
    {"role": "user", "content": "I only want to know whether you're there."},
    {"role": "user", "content": "Answer with the word “yes”."},
]
COLOR_QUESTION = {"type": "text", "text": "What color is this image? Answer with one English word."}
TOOL: Json = {
    "type": "function",
    "function": {
        "name": "opening_hours",
        "description": "The opening hours of the shop.",
        "parameters": {"type": "object", "properties": {"day": {"type": "string"}}, "required": ["day"]},
    },
}
TOOL_TALK: list[Json] = [{"role": "user", "content": "Use the tool: when is the shop open on Monday?"}]
CHECK_URL = "Check the base URL: most end in /v1."
HINTS = {
    "model_not_found": CHECK_URL,
    "unreadable": CHECK_URL,
    "no_connection": "Check the base URL, and that the service is running.",
}


@dataclass(frozen=True, slots=True)
class Finding:
    is_good: bool
    text: str


@dataclass(slots=True)
class Examination:
    """The findings, the tokens used, and what the endpoint accepts. has_answered: to at least one question."""

    assistant: Assistant
    dialect: Dialect
    findings: list[Finding] = field(default_factory=list)
    tokens: int = 0
    has_answered: bool = False

    async def run(self) -> None:
        # Starts from the defaults: the endpoint may have changed since something was learned.
        endpoint = Endpoint(self.dialect)
        try:
            async with asyncio.timeout(SECONDS):
                await self._ask_all(endpoint)
        except TimeoutError:
            self._found(False, f"It took too long: after {SECONDS} s, the test was stopped.")
        self.dialect = endpoint.dialect
        if self.has_answered:
            self.findings += described(self.dialect)

    async def _ask_all(self, endpoint: Endpoint) -> None:
        assistant = copy.copy(self.assistant)
        assistant.temperature = TEMPERATURE if assistant.temperature is None else assistant.temperature
        try:
            answer = await self._ask(endpoint, TALK, assistant)
        except ModelFailed as failure:
            advice = failure.rule.advice or HINTS.get(failure.kind, "")
            self._found(False, f"It didn't answer. {failure.detail}. {advice}".strip())
            return
        self.has_answered = True
        counted = "doesn't report tokens, so they're estimated" if answer.usage_estimated else "reports its tokens"
        self._found(True, f"It answered in {answer.seconds:.1f} s as {answer.model}, and {counted}.")
        try:
            image: Json = {"role": "user", "content": [COLOR_QUESTION, images.as_part(images.square("red"))]}
            answer = await self._ask(endpoint, [image], assistant)
            if endpoint.dialect.images:
                sees = "red" in answer.text.lower()
                self._found(
                    sees, "It recognized an image." if sees else "It accepted an image, but didn't recognize it."
                )
        except ModelFailed as failure:
            self._found(False, f"Asking about an image failed. {failure.detail}")
        try:
            answer = await self._ask(endpoint, TOOL_TALK, assistant, [TOOL])
            if endpoint.dialect.tools:
                calls = bool(answer.tool_calls)
                self._found(calls, "It called a tool." if calls else "It accepted a tool, but didn't call it.")
        except ModelFailed as failure:
            self._found(False, f"Asking it to use a tool failed. {failure.detail}")

    async def _ask(
        self, endpoint: Endpoint, messages: Sequence[Json], assistant: Assistant, tools: Sequence[Json] = ()
    ) -> Completion:
        try:
            answer = await endpoint.ask(messages, assistant, tools)
        except ModelFailed as failure:
            self._count(failure.billed)
            raise
        self._count(answer)
        return answer

    def _count(self, answer: Completion | None) -> None:
        self.tokens += answer.tokens if answer else 0

    def _found(self, is_good: bool, text: str) -> None:
        self.findings.append(Finding(is_good, text))


def described(dialect: Dialect) -> list[Finding]:
    """What the endpoint accepts, where that differs from OpenAI's own."""
    most = dialect.most_output_tokens
    said = [
        (dialect.output_limit == "max_tokens", "The output limit is sent as max_tokens."),
        (most is not None, f"It allows at most {most} output tokens."),
        (dialect.instructions == "developer", "The instructions are sent as a developer message."),
        (dialect.instructions == "user", "It has no role for instructions, so they're sent in the first user message."),
        (
            dialect.user_first,
            "It expects the customer first, and alternating roles, so a neutral line is added if needed.",
        ),
        (not dialect.temperature, "It doesn't accept a temperature, so none is sent."),
        (not dialect.images, "It doesn't accept images. The model is only told that there was one."),
        (not dialect.tools, "It doesn't support tools."),
        (dialect.prompt_cache_key is False, "It doesn't accept a prompt_cache_key."),
    ]
    return [Finding(True, text) for applies, text in said if applies]
