"""Access tokens, JSON bodies and the log of the Graph API stand-in."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase

from sandbox.graph.errors import GraphRefusal
from sandbox.log import begin_request, finish
from sandbox.models import PhoneNumber
from sandbox.stored_json import loads


def token_of(request: HttpRequest) -> str:
    """The bearer token. Raises GraphRefusal if there is none."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise GraphRefusal(190, "Invalid OAuth access token - Cannot parse access token")
    return token.strip()


def check_token(request: HttpRequest, number: PhoneNumber) -> None:
    token = token_of(request)
    if number.access_token and token != number.access_token:
        raise GraphRefusal(190, "Error validating access token: the token doesn't belong to this number.")


def json_of(request: HttpRequest) -> Any:
    try:
        return loads(request.body)
    except ValueError:
        raise GraphRefusal(100, "(#100) The request body is not valid JSON.") from None


def logged(request: HttpRequest, answer: Callable[[], HttpResponseBase]) -> HttpResponseBase:
    """The response or Meta's error body, written to the log."""
    entry = begin_request("graph", request)
    try:
        response, outcome = answer(), "answered"
    except GraphRefusal as refusal:
        response, outcome = JsonResponse(refusal.body(), status=refusal.status), f"refused: {refusal}"
    finish(entry, outcome, response.status_code)
    return response
