"""A model behind a fake network: returns scripted responses, and records requests."""

import json
from typing import Any

import httpx2

Answer = httpx2.Response | Exception


def said(text: object = "Hello!", **parts: Any) -> httpx2.Response:
    """A 200 as OpenAI documents it; `parts` override its fields."""
    body: dict[str, Any] = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "gpt-test-2026",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {
            "prompt_tokens": 120,
            "completion_tokens": 7,
            "total_tokens": 127,
            "prompt_tokens_details": {"cached_tokens": 100},
        },
    }
    return httpx2.Response(200, json=body | parts)


def choice(text: object, finish_reason: str = "stop", **message: Any) -> list[dict[str, Any]]:
    content = {"role": "assistant", "content": text, **message}
    return [{"index": 0, "message": content, "finish_reason": finish_reason}]


def refused(
    status: int, code: object = None, kind: str = "", message: str = "no", headers: dict[str, str] | None = None
) -> httpx2.Response:
    """An error as OpenAI documents it."""
    error = {"message": message, "type": kind or "invalid_request_error", "param": None, "code": code}
    return httpx2.Response(status, json={"error": error}, headers=headers)


class FakeModel:
    """Return these responses in order, and then repeat the last one."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers) or [said()]
        self.requests: list[httpx2.Request] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        # A response can only be read once, but the last one is repeated.
        return httpx2.Response(answer.status_code, headers=answer.headers, content=answer.content)

    def body(self, index: int = -1) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(self.requests[index].content)
        return body
