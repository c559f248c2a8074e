"""Who may ask the Graph API stand-in, and what every answer of it goes through."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase

from sandbox.graph.errors import GraphRefusal
from sandbox.json_in import loads
from sandbox.log import begin_request, finish
from sandbox.models import PhoneNumber


def token_of(request: HttpRequest) -> str:
    """The bearer token; raises GraphRefusal when there is none."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise GraphRefusal(190, "Invalid OAuth access token - Cannot parse access token")
    return token.strip()


def check_token(request: HttpRequest, number: PhoneNumber) -> None:
    token = token_of(request)
    if number.access_token and token != number.access_token:
        raise GraphRefusal(190, "Error validating access token: the token is not the one of this number.")


def json_of(request: HttpRequest) -> Any:
    try:
        return loads(request.body)
    except ValueError:
        raise GraphRefusal(100, "(#100) The request body is not valid JSON.") from None


def logged(request: HttpRequest, answer: Callable[[], HttpResponseBase]) -> HttpResponseBase:
    """The answer or Meta's error body, noted in the log."""
    entry = begin_request("graph", request)
    try:
        response, outcome = answer(), "answered"
    except GraphRefusal as refusal:
        response, outcome = JsonResponse(refusal.body(), status=refusal.status), f"refused: {refusal}"
    finish(entry, outcome, response.status_code)
    return response
