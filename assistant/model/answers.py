"""The boundary to a model service: every value of a response is cleaned, typed and bounded here, before anything acts
on it.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from assistant.tools.own import ToolCall
from runtime import http
from runtime.untrusted_json import Json, UnreadableJson, as_dict, as_list, as_text, loads

from . import refusals
from .errors import Completion, ModelFailed
from .text import clean, plain

LONGEST_TEXT = 32_768  # characters: eight messages
LONGEST_NAME = 100  # of the column that stores it
MOST_TOOL_CALLS = 16
MOST_TOKENS = 10_000_000  # a greater count is a mistake
TOKENS_PER_SECOND = 10  # of speech
LONGEST_WAIT = 86_400.0  # seconds
CUT_OFF = {"length", "max_tokens", "max_output_tokens"}
FILTERED = ("content_filter", "refusal", "safety", "recitation", "prohibited_content", "blocklist", "spii")
_SPOKEN_PARTS = {"text", "output_text"}


@dataclass(frozen=True, slots=True)
class Answer:
    """A model's answer. Counts are 0 if the service didn't give them."""

    text: str
    is_cut_off: bool
    is_refusal: bool
    reason: str  # why it ended, in the service's word
    model: str
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    tool_calls: tuple[ToolCall, ...] = ()


def read(response: http.Response, key: str) -> Answer:
    """The answer in a response. Raises ModelFailed if there's none."""
    body = checked(response, key)
    choices = as_list(body.get("choices"))
    choice = as_dict(choices[0]) if choices else {}
    if choice.get("error"):
        raise _refused(response, key, billed=_billed(body))
    if not isinstance(choice.get("message"), dict):
        if as_text(body.get("code")) or as_text(body.get("message")):
            raise _refused(response, key, billed=_billed(body))
        raise ModelFailed("unreadable", "the response has no choices", billed=_billed(body))
    message = as_dict(choice["message"])
    reason = plain(as_text(choice.get("finish_reason")))[:LONGEST_NAME]
    prompt_tokens, cached_tokens, completion_tokens = _usage(body)
    text = clean(_text(message.get("content")))
    return Answer(
        text=text[:LONGEST_TEXT],
        is_cut_off=reason.lower() in CUT_OFF or len(text) > LONGEST_TEXT,
        is_refusal=bool(message.get("refusal")) or reason.lower().startswith(FILTERED),
        reason=reason,
        model=short_name(as_text(body.get("model"))),
        prompt_tokens=prompt_tokens,
        cached_tokens=cached_tokens,
        completion_tokens=completion_tokens,
        tool_calls=tuple(_tool_calls(message.get("tool_calls"))),
    )


def read_transcript(response: http.Response, key: str) -> Answer:
    """The text of a transcription. Raises ModelFailed if there's none."""
    body = checked(response, key)
    text = body.get("text")
    if not isinstance(text, str):
        raise ModelFailed("unreadable", "the response isn't a transcription", billed=_billed(body))
    prompt_tokens, cached_tokens, completion_tokens = _usage(body)
    if not prompt_tokens:
        # Some models are billed by the second.
        seconds = as_dict(body.get("usage")).get("seconds") or body.get("duration")
        prompt_tokens = _count(seconds) * TOKENS_PER_SECOND
    return Answer(
        text=clean(text),
        is_cut_off=False,
        is_refusal=False,
        reason="",
        model=short_name(as_text(body.get("model"))),
        prompt_tokens=prompt_tokens,
        cached_tokens=cached_tokens,
        completion_tokens=completion_tokens,
    )


def short_name(name: str) -> str:
    """A model's name. If it's too long for the ledger, such as a file's path, its end is kept."""
    name = plain(name)
    return name if len(name) <= LONGEST_NAME else f"…{name[1 - LONGEST_NAME :]}"


def checked(response: http.Response, key: str) -> Json:
    """The response's JSON object. Raises ModelFailed if it is an error, whatever its status."""
    if not 200 <= response.status < 300:
        raise _refused(response, key, response.status)
    try:
        value = loads(response.body)
    except UnreadableJson:
        said = refusals.read(response.body, key=key).words
        raise ModelFailed("unreadable", f"the response isn't JSON: {said or 'it has no text'}") from None
    items = as_list(value)
    body = as_dict(items[0]) if len(items) == 1 else {}
    if body.get("error") or body.get("object") == "error":
        raise _refused(response, key, billed=_billed(body))
    return body


def _refused(response: http.Response, key: str, status: int = 0, billed: Completion | None = None) -> ModelFailed:
    """status: 0 for an error inside a 200."""
    refusal = refusals.read(response.body, status, key)
    seconds = http.retry_after(response.headers)
    said = f"HTTP {status}" if status else f"error {refusal.status} in a response with HTTP 200"
    return ModelFailed(
        refusal.kind,
        f"{said}: {refusal.words or 'no reason given'}",
        retry_after=refusal.seconds if seconds is None else min(seconds, LONGEST_WAIT),
        billed=billed,
        refusal=refusal,
    )


def _text(content: object) -> str:
    """The text of a message, or of its parts that the customer may see."""
    if isinstance(content, str):
        return content
    parts = []
    for part in as_list(content):
        fields = as_dict(part)
        said = part if isinstance(part, str) else fields.get("text")
        if isinstance(said, str) and as_text(fields.get("type", "text")) in _SPOKEN_PARTS:
            parts.append(said)
    return "".join(parts)


def _usage(body: Json) -> tuple[int, int, int]:
    """Prompt, cached and completion tokens."""
    usage = as_dict(body.get("usage"))
    prompt_tokens = _count(usage.get("prompt_tokens")) or _count(usage.get("input_tokens"))
    completion_tokens = _count(usage.get("completion_tokens")) or _count(usage.get("output_tokens"))
    details = as_dict(usage.get("prompt_tokens_details")) or as_dict(usage.get("input_tokens_details"))
    cached = details.get("cached_tokens") or usage.get("prompt_cache_hit_tokens")
    return prompt_tokens, min(_count(cached), prompt_tokens), completion_tokens


def prompt_tokens(body: Json) -> int:
    """How many tokens the service read; 0 if it doesn't say."""
    return _usage(body)[0]


def _billed(body: Json) -> Completion | None:
    """What a response without an answer costs, if the service counted it."""
    prompt_tokens, cached_tokens, completion_tokens = _usage(body)
    if not prompt_tokens and not completion_tokens:
        return None
    return Completion(
        text="",
        model=short_name(as_text(body.get("model"))),
        prompt_tokens=prompt_tokens,
        cached_tokens=cached_tokens,
        completion_tokens=completion_tokens,
        usage_estimated=False,
        seconds=0,
    )


def _tool_calls(value: object) -> Iterator[ToolCall]:
    for item in as_list(value)[:MOST_TOOL_CALLS]:
        function = as_dict(as_dict(item).get("function"))
        arguments = function.get("arguments")
        if name := plain(as_text(function.get("name")))[:LONGEST_NAME]:
            # OpenAI documents arguments as a string of JSON; some services give the object itself.
            text = arguments if isinstance(arguments, str) else json.dumps(as_dict(arguments), ensure_ascii=False)
            id = plain(as_text(as_dict(item).get("id")))[:LONGEST_NAME]
            yield ToolCall.read(name, clean(text)[:LONGEST_TEXT], id)


def _count(value: object) -> int:
    """A number of tokens; 0 for whatever can't be one."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    return int(value) if 0 < value <= MOST_TOKENS else 0
