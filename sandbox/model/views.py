"""The views of the model stand-in."""

from typing import Any

from django.http import HttpRequest, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt

from sandbox.log import begin_request, finish, storable
from sandbox.model import answers, reader
from sandbox.model.answers import ModelRefusal
from sandbox.model.replies import read, reply, tool_calls
from sandbox.model.transcription import hear
from sandbox.model.weather import before, spoil
from sandbox.severed import Severed, sever
from sandbox.stored_json import loads


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


def _json_body(raw: bytes) -> Any:
    try:
        return loads(raw)
    except ValueError:
        raise ModelRefusal(400, "We could not parse the JSON body of your request.") from None


@csrf_exempt
def chat_completions(request: HttpRequest) -> HttpResponseBase:
    """POST. Streams if requested."""
    response: HttpResponseBase
    # Not request.body: images can exceed its size limit, which is meant for webhooks.
    raw = request.read()
    entry = begin_request("model", request, storable(raw))
    try:
        if request.method != "POST":
            raise ModelRefusal(405, f"Not allowed to {request.method} on /v1/chat/completions. (HINT: use POST)")
        check_key(request)
        response, outcome = _complete(answers.check(_json_body(raw)))
    except ModelRefusal as error:
        response = refusal(error)
        outcome = f"refused: {error}"
    severed = isinstance(response, Severed)
    finish(entry, outcome, None if severed else response.status_code)
    if severed:
        sever(request)
    return response


def _complete(body: dict[str, Any]) -> tuple[HttpResponseBase, str]:
    """The response, and the outcome for the log."""
    rule = before(body)
    if rule is None and (calls := tool_calls(body)):
        return JsonResponse(answers.completion(body, None, "tool_calls", tool_calls=calls)), "called a tool"
    messages = body["messages"]
    answer = reader.answer(messages) if body["model"] == reader.NAME else reply(read(messages))
    answer, reason = answers.cut(body, answer)
    if rule is not None:
        return spoil(rule, body, answer), f"weather: {rule.kind}"
    if body.get("stream"):
        events = answers.stream(body, answer, reason)
        return StreamingHttpResponse(events, content_type="text/event-stream"), "streamed"
    return JsonResponse(answers.completion(body, answer, reason)), "answered"


@csrf_exempt
def transcriptions(request: HttpRequest) -> HttpResponseBase:
    """POST multipart: transcribe a voice note."""
    entry = begin_request(
        "model", request, {"model": request.POST.get("model"), "language": request.POST.get("language")}
    )
    try:
        check_key(request)
        response, outcome = hear(request), "answered"
    except ModelRefusal as error:
        response, outcome = refusal(error), f"refused: {error}"
    finish(entry, outcome, response.status_code)
    return response


@csrf_exempt
def model_list(request: HttpRequest) -> HttpResponseBase:
    try:
        check_key(request)
    except ModelRefusal as error:
        return refusal(error)
    return JsonResponse(answers.models())
