"""The request and response format of OpenAI's chat completions.

Source: https://platform.openai.com/docs/api-reference/chat
"""

import json
import secrets
import time
from collections.abc import Iterator
from typing import Any

JSON = dict[str, Any]
PICTURE_TOKENS = 765


class ModelRefusal(Exception):
    """OpenAI's error body with its HTTP status."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        self.status = status
        self.error = {"message": message, "type": kind, "param": param, "code": code}
        self.headers = headers or {}
        super().__init__(message)

    def body(self) -> JSON:
        return {"error": self.error}


def check(body: object) -> JSON:
    """The parsed request. Raises ModelRefusal with OpenAI's texts."""
    if not isinstance(body, dict):
        raise ModelRefusal(400, "We could not parse the JSON body of your request.")
    if not isinstance(body.get("model"), str) or not body["model"]:
        raise ModelRefusal(400, "you must provide a model parameter")
    messages = body.get("messages")
    if messages is None:
        raise ModelRefusal(
            400,
            "Missing required parameter: 'messages'.",
            code="missing_required_parameter",
            param="messages",
        )
    if not isinstance(messages, list) or not messages:
        raise ModelRefusal(400, "Invalid 'messages': expected a non-empty array.", code="empty_array", param="messages")
    for index, message in enumerate(messages):
        _check_message(index, message)
    return body


def _check_message(index: int, message: object) -> None:
    where = f"messages[{index}]"
    roles = ("system", "developer", "user", "assistant", "tool")
    if not isinstance(message, dict) or message.get("role") not in roles:
        raise ModelRefusal(
            400,
            f"Invalid value for '{where}.role': expected one of {roles}.",
            code="invalid_value",
            param=where,
        )
    content = message.get("content")
    if content is None and message["role"] == "assistant":
        return
    if not isinstance(content, str | list):
        raise ModelRefusal(
            400,
            f"Invalid type for '{where}.content': expected one of a string or array of objects.",
            code="invalid_type",
            param=f"{where}.content",
        )


def tokens(text: str) -> int:
    """A token is about four characters."""
    return (len(text) + 3) // 4


def _content_tokens(content: Any) -> int:
    if not isinstance(content, list):
        return tokens(content or "")
    pictures = len([part for part in content if isinstance(part, dict) and part.get("type") == "image_url"])
    words = [str(part.get("text", "")) for part in content if isinstance(part, dict)]
    return pictures * PICTURE_TOKENS + tokens(" ".join(words))


def usage(body: JSON, answer: str) -> JSON:
    """Counts like OpenAI's: prompts are cached from 1,024 tokens on, in steps of 128."""
    prompt = sum(4 + _content_tokens(m.get("content")) for m in body["messages"]) + 3
    cached = prompt // 128 * 128 if prompt >= 1024 else 0
    completion = tokens(answer)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def cut(body: JSON, answer: str) -> tuple[str, str]:
    """The answer cut to the requested token limit, and the finish reason."""
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    if isinstance(limit, int) and tokens(answer) > limit:
        return answer[: limit * 4], "length"
    return answer, "stop"


def completion(
    body: JSON, answer: str | None, finish_reason: str = "stop", refusal: str | None = None, **more: object
) -> JSON:
    """more: further fields of the message, such as tool_calls."""
    message: JSON = {"role": "assistant", "content": answer, "refusal": refusal, "annotations": [], **more}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish_reason}
    return {
        **_head(body, "chat.completion"),
        "choices": [choice],
        "usage": usage(body, answer or ""),
    }


def _head(body: JSON, kind: str) -> JSON:
    return {
        "id": f"chatcmpl-{secrets.token_hex(12)}",
        "object": kind,
        "created": int(time.time()),
        "model": body["model"],
        "service_tier": "default",
        "system_fingerprint": None,
    }


def stream(body: JSON, answer: str, finish_reason: str) -> Iterator[str]:
    """Server-sent events, one word at a time."""
    head = _head(body, "chat.completion.chunk")
    options = body.get("stream_options") or {}

    def event(choices: list[JSON], **more: Any) -> str:
        return f"data: {json.dumps({**head, 'choices': choices, **more}, ensure_ascii=False)}\n\n"

    def delta(piece: JSON, reason: str | None = None) -> str:
        return event([{"index": 0, "delta": piece, "logprobs": None, "finish_reason": reason}])

    yield delta({"role": "assistant", "content": "", "refusal": None})
    for word in answer.split(" "):
        yield delta({"content": word + " "})
    yield delta({}, finish_reason)
    if options.get("include_usage"):
        yield event([], usage=usage(body, answer))
    yield "data: [DONE]\n\n"


def models() -> JSON:
    names = ("Sandbox model", "sandbox-reader", "gpt-5.4-mini", "gpt-5.4", "whisper-1")
    return {
        "object": "list",
        "data": [{"id": name, "object": "model", "created": 1_700_000_000, "owned_by": "sandbox"} for name in names],
    }
