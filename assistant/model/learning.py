"""Learns from an endpoint's refusals what it accepts, and asks again accordingly.

A lesson is only stored once the endpoint has accepted a request that follows it, so that a misread refusal does no
harm.
"""

import copy
import logging
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import DatabaseError

from assistant.dialects import Dialect
from assistant.models import Assistant
from runtime.database import database_sync_to_async
from runtime.untrusted_json import Json, as_dict, as_list, as_text

from . import requests
from .client import chat_with_gpt
from .errors import Completion, ModelFailed
from .refusals import Refusal

logger = logging.getLogger(__name__)

# About the key, the account or the length of the prompt: not about what the endpoint accepts.
UNTEACHABLE = {"unauthorized", "quota", "forbidden", "rate_limited", "content_filter", "context_length_exceeded"}
Change = tuple[str, Any]  # a feature of the dialect, and its value


def _words(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


_OUTPUT = _words(r"max(?:imum)?[_ -](?:completion[_ -]|output[_ -]|new[_ -])?tokens", r"(?:output|completion) tokens")
_TOO_MANY = _words(
    r"too (?:large|high|many|big)", "at most", "maximum", "less than", "exceed", "greater", "[<>]", "range"
)
_NUMBER = re.compile(r"(?<![\w.-])\d{1,9}(?![\w-])")
_TEMPERATURE = _words(r"\btemperature\b")
_IMAGE = _words(r"\bimages?\b", "image_url", r"\bvision\b", "multi-?modal", "mmproj", r"\bpictures?\b")
_UNSUPPORTED = _words(
    *("support", "unknown variant", "no endpoints", "text[ -]only", "only text", "at most 0", "missing data required"),
    *("mmproj", "not (?:enabled|available|allowed|accept)", "cannot (?:read|accept|process|handle) "),
)
_BAD_IMAGE = _words(
    r"(?:invalid|unsupported|corrupt\w*|damaged) image", "image[ _](?:format|type|size|parse)", "formats?:"
)
_NOT_TEXT = _words("content.{0,20} must be a string", "should be a valid string", "expected `?(?:text|string)\\b")
_TOOLS = _words(r"\btools?\b", "tool[_ -](?:choice|use|call)", "function[_ -]?call")
_ORDER = _words(
    *(r"\balternat(?:e|es|ing)\b", "successive", "consecutive", "in a row", "prefill", "expected last role"),
    r"\b(?:first|last|start|starts|begin|begins|end|ends)\b.{0,80}\buser\b",
    r"\buser\b.{0,40}\b(?:first|last)\b",
)
_ROLE = _words(
    *(r"\broles?\b", "system[ _](?:prompt|message|instruction)", "developer instruction", r"\bsystem\b.{0,60}support")
)


@dataclass(slots=True)
class Endpoint:
    """One assistant's endpoint, and what is known about it. learned: what isn't stored yet.

    cache_key: names the conversation that is continued.
    """

    dialect: Dialect
    learned: dict[str, Any] = field(default_factory=dict)
    cache_key: str = ""

    async def ask(self, messages: Sequence[Json], assistant: Assistant, tools: Sequence[Json] = ()) -> Completion:
        """As `chat_with_gpt`, but asks again when a refusal says what the endpoint accepts. Only raises ModelFailed."""

        def build(dialect: Dialect) -> Json:
            return requests.build(messages, assistant, dialect, tools, self.cache_key)

        tried: list[Json] = []
        words, before = "", (self.dialect, self.learned)
        while True:
            try:
                completion = await chat_with_gpt(messages, assistant, self.dialect, tools, self.cache_key)
            except ModelFailed as failure:
                if failure.refusal is None or failure.kind in UNTEACHABLE:
                    raise
                tried.append(build(self.dialect))
                if failure.refusal.words == words:  # the last lesson was beside the point
                    self.dialect, self.learned = before
                words, before = failure.refusal.words, (self.dialect, self.learned)
                if not self._learn(failure.refusal, build, tried):
                    raise
            else:
                await self._remember()
                return completion

    def _learn(self, refusal: Refusal, build: Callable[[Dialect], Json], tried: Sequence[Json]) -> bool:
        """Follow the first lesson that leads to a request which wasn't tried yet."""
        for name, value in lessons(refusal, build(self.dialect), self.dialect):
            changed = copy.copy(self.dialect)
            setattr(changed, name, value)
            if build(changed) not in tried:
                logger.info("[AI] %s: %s is now %s, because it said: %s", changed, name, value, refusal.words)
                self.dialect, self.learned = changed, {**self.learned, name: value, "reason": refusal.words}
                return True
        return False

    async def _remember(self) -> None:
        learned, self.learned = self.learned, {}
        if not learned or self.dialect.tenant_id is None:
            return
        try:
            await database_sync_to_async(self.dialect.save_features)(**learned)
        except DatabaseError:
            # The answer is worth more. The next turn learns it again.
            logger.exception("[AI] %s: what was learned couldn't be stored", self.dialect)


def lessons(refusal: Refusal, request: Json, dialect: Dialect) -> Iterator[Change]:
    """What may make the endpoint accept the request, likeliest first."""
    words = " ".join([refusal.words, *refusal.names])
    if _OUTPUT.search(words):
        yield from _about_output(words, request, dialect)
    if "temperature" in request and _TEMPERATURE.search(words):
        yield "temperature", False
    if any(isinstance(as_dict(message)["content"], list) for message in as_list(request["messages"])):
        is_about_images = _IMAGE.search(words) and _UNSUPPORTED.search(words) and not _BAD_IMAGE.search(words)
        if is_about_images or _NOT_TEXT.search(words):
            yield "images", False
    if _ORDER.search(words):
        yield "user_first", True
    if "prompt_cache_key" in request and "prompt_cache_key" in words:
        yield "prompt_cache_key", False
    if "tools" in request and _TOOLS.search(words):
        yield "tools", False
    if _ORDER.search(words) or _ROLE.search(words):
        yield from _about_instructions(words, dialect)


def _about_output(words: str, request: Json, dialect: Dialect) -> Iterator[Change]:
    limit = int(as_text(request[dialect.output_limit]))
    smaller = [int(number) for number in _NUMBER.findall(words) if 0 < int(number) < limit]
    if smaller and _TOO_MANY.search(words):
        yield "most_output_tokens", max(smaller)
    others = [name for name in Dialect.OutputLimit.values if name != dialect.output_limit]
    yield "output_limit", others[0]


def _about_instructions(words: str, dialect: Dialect) -> Iterator[Change]:
    """Some services name the role that they accept instead."""
    other = {"system": "developer", "developer": "system"}.get(dialect.instructions)
    if other and other in words.lower():
        yield "instructions", other
    yield "instructions", Dialect.Instructions.USER.value
