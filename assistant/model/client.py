"""The only module that talks to a model: `chat_with_gpt` and `transcribe`. Each makes one attempt; callers retry."""

import functools
import logging
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Any

import httpx2
import openai
from django.conf import settings
from openai.types.chat import ChatCompletion

from assistant.models import Assistant
from runtime import http
from runtime.http import Kind

from .errors import RULES, Rule
from .transport import HTTP

logger = logging.getLogger(__name__)

# OpenAI documents four codes under this type. Other services use only some of them, or 402.
QUOTA = {
    "insufficient_quota",
    "credit_balance_exhausted",
    "organization_spend_limit_exceeded",
    "project_spend_limit_exceeded",
    "organization_usage_limit_exceeded",
    "billing_hard_limit_reached",
    "billing_not_active",
}
FILTERED = {"content_filter", "content_policy_violation"}
BY_STATUS = {
    401: "unauthorized",
    402: "quota",
    403: "forbidden",
    404: "model_not_found",
    408: "server_error",
    409: "server_error",
    429: "rate_limited",
}
SENTENCE_END = re.compile(r"[.!?…。！？؟।][\"'”’»)\]*_]*(?=\s|$)|[。！？]")
TOKEN_CHARACTERS = 4

FAILURES = {
    Kind.BAD_REQUEST: "bad_request",
    Kind.NOT_PUBLIC: "bad_request",
    Kind.NO_CONNECTION: "no_connection",
    Kind.TIMEOUT: "timeout",
    Kind.LOST: "connection_lost",
    Kind.TOO_LARGE: "unreadable",
}


@dataclass(frozen=True, slots=True)
class Completion:
    """The model's reply and its usage. `usage_estimated`: the service didn't report token counts."""

    text: str
    model: str
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    usage_estimated: bool
    seconds: float


class ModelFailed(Exception):
    """The model didn't answer. `kind` names a row of `errors.RULES`; `detail` never contains the key."""

    def __init__(self, kind: str, detail: str, retry_after: float | None = None) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind
        self.detail = detail
        self.retry_after = retry_after

    @property
    def rule(self) -> Rule:
        return RULES[self.kind]


async def chat_with_gpt(messages: Sequence[dict[str, object]], assistant: Assistant | None = None) -> Completion:
    """Ask the assistant's model once. The system prompt is added here, as the first message.

    messages: `{"role": …, "content": …}`, oldest first. Only raises ModelFailed.
    """
    assistant = assistant or Assistant()
    key = usable_key(assistant)
    # The instructions come first and unchanged, so that the service can cache them.
    prompt: list[dict[str, object]] = [{"role": "system", "content": assistant.instructions}, *messages]
    started = time.monotonic()
    try:
        answer = await _ask(prompt, assistant, key)
    except Exception as error:  # noqa: BLE001 - a turn ends with a reason, whatever the service returns
        # Without the cause: its text may contain the key (for example, an invalid header).
        raise _failure(error, key) from None
    return _completion(answer, prompt, assistant, time.monotonic() - started)


async def transcribe(file: IO[bytes], name: str, mime_type: str, assistant: Assistant | None = None) -> str:
    """Transcribe an audio file, in one attempt. Only raises ModelFailed.

    name: with the file extension, by which the service recognizes the format.
    """
    assistant = assistant or Assistant()
    key = usable_key(assistant)
    try:
        answer: object = await _client(key, assistant.endpoint).audio.transcriptions.create(
            file=(name, file, mime_type),
            model=settings.TRANSCRIPTION_MODEL,
            language=assistant.transcription_language or openai.omit,
            timeout=_limits(settings.MODEL_TURN_SECONDS),
        )
    except Exception as error:  # noqa: BLE001 - as above
        raise _failure(error, key) from None
    text = getattr(answer, "text", None)
    if not isinstance(text, str):
        raise ModelFailed("unreadable", "the response isn't a transcription")
    return text.replace("\x00", "").strip()


def usable_key(assistant: Assistant) -> str:
    """The assistant's API key. Raises ModelFailed if there's none, or if it isn't valid in a header."""
    key = assistant.key.strip()
    if not key:
        raise ModelFailed("no_key", f"no key for {assistant.endpoint}")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ModelFailed("no_key", f"the key for {assistant.endpoint} contains characters that keys never have")
    return key


async def _ask(prompt: list[dict[str, object]], assistant: Assistant, key: str) -> object:
    client = _client(key, assistant.endpoint)
    body: dict[str, object] = {
        "model": assistant.model_name,
        "messages": prompt,
        "max_completion_tokens": assistant.max_output_tokens,
    }
    if assistant.temperature is not None:
        body["temperature"] = assistant.temperature
    # Not `chat.completions.create`: it inspects every message by type, which takes an eighth of this process's CPU
    # time.
    answer: object = await client.post(
        "/chat/completions",
        cast_to=ChatCompletion,
        body=body,
        options={"timeout": _limits(settings.MODEL_ATTEMPT_SECONDS)},
    )
    return answer


def _limits(seconds: float) -> httpx2.Timeout:
    """Timeouts: for the whole call, and for connecting."""
    return httpx2.Timeout(seconds, connect=settings.MODEL_CONNECT_SECONDS)


@functools.lru_cache(maxsize=256)
def _client(key: str, endpoint: str) -> openai.AsyncOpenAI:
    """One client per key and endpoint. Clients don't own connections, so evicting one closes nothing."""
    client = openai.AsyncOpenAI(api_key=key, base_url=endpoint, http_client=HTTP, max_retries=0)
    # The client would read these from the environment. They belong to the installation, and no tenant's endpoint may
    # see them.
    client.organization = client.project = client.admin_api_key = None
    return client


def _failure(error: Exception, key: str) -> ModelFailed:
    if isinstance(error, ModelFailed):
        return error
    if isinstance(error, openai.APIStatusError):
        detail = redacted(f"HTTP {error.status_code} {error.code or ''}: {error.message}", key)
        return ModelFailed(_refused_kind(error), detail, http.retry_after(error.response.headers))
    if isinstance(error, http.RequestFailed):
        return ModelFailed(FAILURES[error.kind], error.detail)
    if isinstance(error, ValueError):  # json.JSONDecodeError, UnicodeDecodeError
        return ModelFailed("unreadable", "the response isn't JSON")
    logger.exception("[AI] unexpected error while calling the model")
    return ModelFailed("bad_request", f"the request could not be made: {type(error).__name__}")


def _refused_kind(error: openai.APIStatusError) -> str:
    names = {str(error.code), str(error.type)}
    if error.status_code >= 500:
        return "server_error"
    if names & QUOTA:
        return "quota"
    if names & FILTERED:
        return "content_filter"
    # Compatible services only say it in the message.
    if "context_length_exceeded" in names or "maximum context length" in error.message.lower():
        return "context_length_exceeded"
    return BY_STATUS.get(error.status_code, "bad_request")


def redacted(text: str, key: str) -> str:
    """`text`, shortened and without the key, because services quote all or part of a key that they reject."""
    return re.sub(r"\bsk-\S+", "[key]", text.replace(key, "[key]"))[:500]


def _completion(answer: object, prompt: list[dict[str, object]], assistant: Assistant, seconds: float) -> Completion:
    text, reason = _said(answer)
    prompt_tokens, cached, completion_tokens = _counted(answer)
    estimated = not prompt_tokens
    return Completion(
        text=trimmed(text) if reason == "length" else text,
        model=str(getattr(answer, "model", None) or assistant.model_name),
        prompt_tokens=_estimate(*(_words(message["content"]) for message in prompt)) if estimated else prompt_tokens,
        cached_tokens=cached,
        completion_tokens=completion_tokens or _estimate(text),
        usage_estimated=estimated or not completion_tokens,
        seconds=seconds,
    )


def _said(answer: object) -> tuple[str, str]:
    """Text and finish reason. The library doesn't validate: any part of a 200 may be missing or have another type."""
    if not isinstance(answer, ChatCompletion):
        raise ModelFailed("unreadable", "the response isn't JSON")
    try:
        choice: Any = answer.choices[0]
        text, reason = choice.message.content, str(choice.finish_reason or "")
        refusal = getattr(choice.message, "refusal", None)
    except (AttributeError, IndexError, KeyError, TypeError):
        raise ModelFailed("unreadable", "the response has no choices") from None
    if refusal or reason == "content_filter":
        raise ModelFailed("content_filter", "the model refused to answer")
    if not isinstance(text, str) or not text.strip():
        raise ModelFailed("unreadable", f"the response has no text (finish_reason {reason or 'missing'})")
    return text.strip(), reason


def _counted(answer: object) -> tuple[int, int, int]:
    """Prompt, cached and completion tokens; 0 if missing."""
    usage = getattr(answer, "usage", None)
    details = getattr(usage, "prompt_tokens_details", None)
    prompt, completion = getattr(usage, "prompt_tokens", 0), getattr(usage, "completion_tokens", 0)
    counts = (prompt, getattr(details, "cached_tokens", 0), completion)
    first, second, third = (count if isinstance(count, int) and count > 0 else 0 for count in counts)
    return first, second, third


def _words(content: object) -> str:
    """Without images, which are counted differently."""
    parts = content if isinstance(content, list) else [{"text": content}]
    return " ".join(str(part.get("text", "")) for part in parts)


def _estimate(*texts: str) -> int:
    return sum(len(text) for text in texts) // TOKEN_CHARACTERS + 1


def trimmed(text: str) -> str:
    """A truncated answer, up to the end of its last complete sentence; all of it if there's none."""
    ends = [match.end() for match in SENTENCE_END.finditer(text)]
    return text[: ends[-1]] if ends else text
