"""POST /<phone_number_id>/messages, with and without injected faults."""

import json
import time
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase

from sandbox.graph.access import check_token, json_of
from sandbox.graph.errors import GraphRefusal
from sandbox.graph.requests import ReadRequest, SendRequest, parse
from sandbox.models import Message, PhoneNumber
from sandbox.phone.outbound import accept, mark_read
from sandbox.phone.statuses import announce, announce_failure
from sandbox.pool import pool
from sandbox.severed import Severed
from sandbox.weather.rules import KINDS, Params, Rule, take

BAD = [kind for kind in KINDS["graph"] if kind != "slow"]
HTML = "<!doctype html><title>502 Bad Gateway</title><h1>Bad Gateway</h1>"


@dataclass(frozen=True)
class Answer:
    response: HttpResponseBase
    outcome: str
    message: Message | None = None


def answer(request: HttpRequest, phone_number_id: str) -> Answer:
    """Raises GraphRefusal. Rules apply only to messages, so `times` counts messages."""
    number = PhoneNumber.known_as(phone_number_id)
    check_token(request, number)
    body = json_of(request)
    if isinstance(body, dict) and body.get("status") == "read":
        return _read(number, body)
    facts = _facts(number, body)
    if slow := take("graph", ["slow"], facts):
        time.sleep(slow["seconds"])
    rule = take("graph", BAD, facts)
    if rule is not None and rule.kind == "error":
        raise GraphRefusal(rule["code"])
    if rule is not None and rule.kind == "html":
        return Answer(HttpResponse(HTML, status=rule["status"]), "weather: html")
    if rule is not None and rule.kind == "closed":
        return Answer(Severed(), "weather: closed without accepting")
    return _send(number, body, rule)


def _facts(number: PhoneNumber, body: object) -> Params:
    given = body if isinstance(body, dict) else {}
    return {
        "phone_number_id": number.phone_number_id,
        "to": given.get("to") or given.get("recipient"),
        "text": json.dumps(body, ensure_ascii=False),
    }


def _read(number: PhoneNumber, body: object) -> Answer:
    wanted = parse(body)
    if isinstance(wanted, ReadRequest):
        mark_read(number, wanted)
    return Answer(JsonResponse({"success": True}), "marked as read")


def _send(number: PhoneNumber, body: object, rule: Rule | None) -> Answer:
    wanted = parse(body)
    assert isinstance(wanted, SendRequest)  # noqa: S101  `status: read` is handled in `_read`
    message = _store(number, wanted, rule)
    whole = accepted(wanted, message)
    if rule is None or rule.kind == "failed":
        return Answer(JsonResponse(whole), "accepted", message)
    if rule.kind == "unreadable":
        half = json.dumps(whole)[:40]
        return Answer(HttpResponse(half, content_type="application/json"), "weather: accepted, cut", message)
    return Answer(Severed(), "weather: accepted, no answer", message)


def _store(number: PhoneNumber, wanted: SendRequest, rule: Rule | None) -> Message:
    with transaction.atomic():
        message = accept(number, wanted)
        if message.state == "accepted":
            told = partial(announce, message.pk)
            if rule is not None and rule.kind == "failed":
                told = partial(announce_failure, message.pk, rule["code"])
            transaction.on_commit(partial(pool.submit, told))
    return message


def accepted(wanted: SendRequest, message: Message) -> dict[str, Any]:
    """Meta's response. It has `user_id` instead of `wa_id` if the recipient was a user ID."""
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
