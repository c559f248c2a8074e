"""The HTTP of the Graph API stand-in."""

import json
from functools import partial
from typing import Any

from django.db import transaction
from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt

from sandbox.accepting import accept, mark_read
from sandbox.graph_errors import GraphRefusal
from sandbox.graph_nodes import node, subscribed_apps
from sandbox.graph_requests import ReadRequest, SendRequest, parse
from sandbox.log import record
from sandbox.models import Message, PhoneNumber
from sandbox.pool import pool
from sandbox.statuses import announce


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


def body_of(request: HttpRequest) -> Any:
    try:
        return json.loads(request.body)
    except (ValueError, RecursionError):
        raise GraphRefusal(100, "(#100) The request body is not valid JSON.") from None


@csrf_exempt
def messages(request: HttpRequest, version: str, phone_number_id: str) -> HttpResponseBase:
    """POST: send a message, or mark one as read."""
    body: Any = None
    message: Message | None = None
    try:
        if request.method != "POST":
            raise GraphRefusal(100, "Unsupported get request.", subcode=33)
        number = PhoneNumber.known_as(phone_number_id)
        check_token(request, number)
        body = body_of(request)
        wanted = parse(body)
        if isinstance(wanted, ReadRequest):
            mark_read(number, wanted)
            response = JsonResponse({"success": True})
        else:
            message = _store(number, wanted)
            response = JsonResponse(accepted(wanted, message))
        outcome = "accepted"
    except GraphRefusal as refusal:
        response = JsonResponse(refusal.body(), status=refusal.status)
        outcome = f"refused: {refusal}"
    record(
        "graph",
        request.method or "",
        request.path,
        body=body,
        status=response.status_code,
        outcome=outcome,
        opaque=message.opaque if message else "",
        wamid=message.wamid if message else "",
    )
    return response


def _store(number: PhoneNumber, wanted: SendRequest) -> Message:
    with transaction.atomic():
        message = accept(number, wanted)
        if message.state == "accepted":
            transaction.on_commit(partial(pool.submit, partial(announce, message.pk)))
    return message


def accepted(wanted: SendRequest, message: Message) -> dict[str, Any]:
    """The answer of Meta; `user_id` stands in for `wa_id` when a user id was addressed."""
    given = wanted.recipient
    found = {"wa_id": given.phone or given.given} if given.phone or given.lost else {"user_id": given.user_id}
    sent = {"id": message.wamid}
    if wanted.kind == "template":
        sent["message_status"] = "accepted"
    return {
        "messaging_product": "whatsapp",
        "contacts": [{"input": given.given, **found}],
        "messages": [sent],
    }


@csrf_exempt
def graph_object(request: HttpRequest, version: str, object_id: str) -> HttpResponseBase:
    """GET: the fields of a phone number."""
    return _reading(request, partial(node, request, object_id))


@csrf_exempt
def apps(request: HttpRequest, version: str, waba_id: str) -> HttpResponseBase:
    """GET and POST: which apps get the webhooks of a WhatsApp Business Account."""
    return _reading(request, partial(subscribed_apps, request, waba_id))


def _reading(request: HttpRequest, answer: partial[dict[str, Any]]) -> JsonResponse:
    try:
        token_of(request)
        response = JsonResponse(answer())
        outcome = "answered"
    except GraphRefusal as refusal:
        response = JsonResponse(refusal.body(), status=refusal.status)
        outcome = f"refused: {refusal}"
    record(
        "graph", request.method or "", request.get_full_path(), status=response.status_code, outcome=outcome
    )
    return response
