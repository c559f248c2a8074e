"""The only module that calls a model: `chat_with_gpt`, `transcribe`, `embed`. One attempt each; callers retry."""

import time
from collections.abc import Mapping, Sequence
from typing import IO

from django.conf import settings

from assistant.dialects import Dialect
from assistant.models import Assistant
from assistant.replies.composing import compose
from assistant.tools.own import calls_in
from runtime import http
from runtime.http import Kind
from runtime.untrusted_json import Json, as_dict, as_list, as_text

from . import answers, embeddings, requests, transport
from .answers import Answer
from .embeddings import Vectors
from .errors import Completion, ModelFailed
from .text import estimated_tokens, is_blank
from .transport import CHAT, File

FAILURES = {
    Kind.BAD_REQUEST: "bad_request",
    Kind.NOT_PUBLIC: "bad_request",
    Kind.NO_CONNECTION: "no_connection",
    Kind.TIMEOUT: "timeout",
    Kind.LOST: "connection_lost",
    Kind.TOO_LARGE: "unreadable",
}


async def chat_with_gpt(
    messages: Sequence[Json],
    assistant: Assistant | None = None,
    dialect: Dialect | None = None,
    tools: Sequence[Json] = (),
    cache_key: str = "",
) -> Completion:
    """Ask the assistant's model once. The system prompt is added here.

    messages: `{"role": …, "content": …}`, oldest first. dialect: what the endpoint accepts. cache_key: names the
    conversation. Only raises ModelFailed.
    """
    assistant = assistant or Assistant()
    body = requests.build(messages, assistant, dialect or Dialect(), tools, cache_key)
    started = time.monotonic()
    try:
        response = await _post(assistant, CHAT, settings.MODEL_ATTEMPT_SECONDS, body)
    except ModelFailed as failure:
        failure.billed = unread(messages, assistant) if failure.rule.cost_unknown else None
        raise
    answer = answers.read(response, usable_key(assistant))
    return _usable(answer, _completion(answer, body, bool(tools), time.monotonic() - started))


async def transcribe(file: IO[bytes], name: str, mime_type: str, assistant: Assistant | None = None) -> Completion:
    """Transcribe an audio file, in one attempt. Only raises ModelFailed.

    name: with the file extension, by which the service recognizes the format.
    """
    assistant = assistant or Assistant()
    started = time.monotonic()
    body: Json = {"model": settings.TRANSCRIPTION_MODEL}
    if assistant.transcription_language:
        body["language"] = assistant.transcription_language
    files = {"file": (name, file, mime_type)}
    response = await _post(assistant, "/audio/transcriptions", settings.MODEL_TURN_SECONDS, body, files)
    answer = answers.read_transcript(response, usable_key(assistant))
    return Completion(
        text=answer.text,
        model=answer.model or answers.short_name(settings.TRANSCRIPTION_MODEL),
        prompt_tokens=answer.prompt_tokens,
        cached_tokens=answer.cached_tokens,
        completion_tokens=answer.completion_tokens or estimated_tokens(answer.text),
        usage_estimated=not (answer.prompt_tokens and answer.completion_tokens),
        seconds=time.monotonic() - started,
    )


async def embed(texts: Sequence[str], assistant: Assistant, seconds: float) -> Vectors:
    """A vector for each text, from the assistant's embedding model, in one attempt. Only raises ModelFailed."""
    body: Json = {"model": assistant.embedding_model, "input": list(texts), "encoding_format": "float"}
    response = await _post(assistant, "/embeddings", seconds, body)
    return embeddings.read(response, usable_key(assistant), texts)


def usable_key(assistant: Assistant) -> str:
    """The assistant's API key. Raises ModelFailed if there's none, or if it isn't valid in a header."""
    key = assistant.key.strip()
    if not key:
        raise ModelFailed("no_key", f"no key for {assistant.endpoint}")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ModelFailed("no_key", f"the key for {assistant.endpoint} contains invalid characters")
    return key


async def _post(
    assistant: Assistant, path: str, seconds: float, body: Json, files: Mapping[str, File] | None = None
) -> http.Response:
    try:
        return await transport.post(usable_key(assistant), assistant.endpoint, path, body, seconds, files)
    except http.RequestFailed as failure:
        raise ModelFailed(FAILURES[failure.kind], failure.detail) from None
    except ValueError:
        raise ModelFailed("bad_request", "the base URL isn't a URL") from None


def _usable(answer: Answer, completion: Completion) -> Completion:
    """This completion. Raises ModelFailed, with what it cost, if a customer can't be sent it."""
    if answer.is_refusal:
        raise ModelFailed("content_filter", "the model refused to answer", billed=completion)
    if completion.tool_calls:
        return completion
    if is_blank(completion.text):
        if answer.is_cut_off:
            used = f"the model used all of its {completion.completion_tokens} output tokens before it began to answer"
            raise ModelFailed("no_room", f"{used}; raise “max output tokens”", billed=completion)
        detail = f"the response has no text (finish_reason {answer.reason or 'missing'})"
        raise ModelFailed("unreadable", detail, billed=completion)
    return completion


def _completion(answer: Answer, body: Json, has_tools: bool, seconds: float) -> Completion:
    # A model that can't call tools, or doesn't know how, writes the call into its answer.
    text, written = calls_in(answer.text) if has_tools else (answer.text, [])
    estimate = not answer.prompt_tokens
    words = [_words(as_dict(message).get("content")) for message in as_list(body["messages"])]
    return Completion(
        text=compose(text, answer.is_cut_off),
        model=answer.model or answers.short_name(as_text(body["model"])),
        prompt_tokens=estimated_tokens(*words) if estimate else answer.prompt_tokens,
        cached_tokens=answer.cached_tokens,
        completion_tokens=answer.completion_tokens or estimated_tokens(answer.text),
        usage_estimated=estimate or not answer.completion_tokens,
        seconds=seconds,
        tool_calls=(answer.tool_calls if "tools" in body else ()) or tuple(written),
    )


def unread(messages: Sequence[Json], assistant: Assistant) -> Completion:
    """What a call without an answer may cost: the prompt."""
    words = [assistant.instructions, *(_words(message["content"]) for message in messages)]
    return Completion(
        text="",
        model=answers.short_name(assistant.model_name),
        prompt_tokens=estimated_tokens(*words),
        cached_tokens=0,
        completion_tokens=0,
        usage_estimated=True,
        seconds=0,
    )


def _words(content: object) -> str:
    """The request without images, which are counted differently."""
    parts = content if isinstance(content, list) else [{"text": content}]
    return " ".join(str(part.get("text", "")) for part in parts)
