"""Fault injection for the model stand-in."""

import json
import time
from collections.abc import Iterator
from typing import Any

from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from sandbox.model import answers
from sandbox.model.answers import JSON, ModelRefusal
from sandbox.severed import Severed
from sandbox.weather.rules import KINDS, Rule, take

HTML = "<!doctype html><title>502 Bad Gateway</title><h1>Bad Gateway</h1>"
PIECES = 20
BAD = [kind for kind in KINDS["model"] if kind != "slow"]


def facts_of(body: JSON) -> dict[str, Any]:
    return {"text": json.dumps(body.get("messages", ""), ensure_ascii=False)}


def before(body: JSON) -> Rule | None:
    """Wait if a rule says so. Returns the rule that changes the response, if any. Raises ModelRefusal for errors."""
    facts = facts_of(body)
    if slow := take("model", ["slow"], facts):
        time.sleep(slow["seconds"])
    rule = take("model", BAD, facts)
    if rule is not None and rule.kind in REFUSALS:
        raise REFUSALS[rule.kind](rule, body)
    return rule


def _rate_limited(rule: Rule, body: JSON) -> ModelRefusal:
    seconds = rule["retry_after"]
    return ModelRefusal(
        429,
        f"Rate limit reached for {body['model']} on requests per min (RPM). Please try again in {seconds}s.",
        kind="requests",
        code="rate_limit_exceeded",
        headers={"Retry-After": str(seconds)},
    )


def _quota(rule: Rule, body: JSON) -> ModelRefusal:
    return ModelRefusal(
        429,
        "You exceeded your current quota, please check your plan and billing details.",
        kind="insufficient_quota",
        code="insufficient_quota",
    )


def _unauthorized(rule: Rule, body: JSON) -> ModelRefusal:
    return ModelRefusal(401, "Incorrect API key provided: sand****box.", code="invalid_api_key")


def _not_found(rule: Rule, body: JSON) -> ModelRefusal:
    why = f"The model `{body['model']}` does not exist or you do not have access to it."
    return ModelRefusal(404, why, code="model_not_found")


def _too_long(rule: Rule, body: JSON) -> ModelRefusal:
    why = "This model's maximum context length is 4096 tokens. Please reduce the length of the messages."
    return ModelRefusal(400, why, code="context_length_exceeded", param="messages")


def _server_error(rule: Rule, body: JSON) -> ModelRefusal:
    why = "The server had an error while processing your request. Sorry about that!"
    return ModelRefusal(rule["status"], why, kind="server_error")


REFUSALS = {
    "rate_limited": _rate_limited,
    "insufficient_quota": _quota,
    "unauthorized": _unauthorized,
    "model_not_found": _not_found,
    "context_length_exceeded": _too_long,
    "server_error": _server_error,
}


def spoil(rule: Rule, body: JSON, answer: str) -> HttpResponseBase:
    """The response that this rule asks for."""
    whole = answers.completion(body, answer)
    match rule.kind:
        case "cut":
            return HttpResponse(json.dumps(whole)[: len(json.dumps(whole)) // 2], content_type="application/json")
        case "html":
            return HttpResponse(HTML)
        case "empty":
            return JsonResponse(whole | {"choices": []})
        case "blank":
            return JsonResponse(answers.completion(body, " "))
        case "content_filter":
            return JsonResponse(answers.completion(body, None, "content_filter"))
        case "length":
            half = answer[: max(1, len(answer) // 2)]
            return JsonResponse(answers.completion(body, f"{answer} And another thing: {half}", "length"))
        case "refusal":
            return JsonResponse(answers.completion(body, None, refusal="I'm sorry, I can't help with that."))
        case "no_usage":
            return JsonResponse({key: value for key, value in whole.items() if key != "usage"})
        case "hang":
            time.sleep(rule["seconds"])
            return Severed()
    return StreamingHttpResponse(_trickle(json.dumps(whole), rule["seconds"]), content_type="application/json")


def _trickle(text: str, seconds: float) -> Iterator[str]:
    size = len(text) // PIECES + 1
    for start in range(0, len(text), size):
        time.sleep(seconds / PIECES)
        yield text[start : start + size]
