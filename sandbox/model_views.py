"""The HTTP of the model stand-in."""

import json
from typing import Any

from django.http import HttpRequest, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt

from sandbox import model_answers as answers
from sandbox.log import record
from sandbox.model_answers import ModelRefusal
from sandbox.model_replies import read, reply


def check_key(request: HttpRequest) -> None:
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise ModelRefusal(
            401,
            "You didn't provide an API key. You need to provide your API key in an Authorization header "
            "using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
        )


def refusal(error: ModelRefusal) -> JsonResponse:
    return JsonResponse(error.body(), status=error.status, headers=error.headers)


def _json_body(request: HttpRequest) -> Any:
    try:
        return json.loads(request.body)
    except (ValueError, RecursionError):
        raise ModelRefusal(400, "We could not parse the JSON body of your request.") from None


@csrf_exempt
def chat_completions(request: HttpRequest) -> HttpResponseBase:
    """POST, streaming when asked."""
    body: Any = None
    response: HttpResponseBase
    try:
        if request.method != "POST":
            raise ModelRefusal(
                405, f"Not allowed to {request.method} on /v1/chat/completions. (HINT: use POST)"
            )
        check_key(request)
        body = _json_body(request)
        response = _complete(answers.check(body))
        outcome = "answered"
    except ModelRefusal as error:
        response = refusal(error)
        outcome = f"refused: {error}"
    record(
        "model", request.method or "", request.path, body=body, status=response.status_code, outcome=outcome
    )
    return response


def _complete(body: dict[str, Any]) -> HttpResponseBase:
    answer, reason = answers.cut(body, reply(read(body["messages"])))
    if body.get("stream"):
        return StreamingHttpResponse(answers.stream(body, answer, reason), content_type="text/event-stream")
    return JsonResponse(answers.completion(body, answer, reason))


@csrf_exempt
def model_list(request: HttpRequest) -> HttpResponseBase:
    try:
        check_key(request)
    except ModelRefusal as error:
        return refusal(error)
    return JsonResponse(answers.models())
