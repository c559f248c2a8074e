"""The door: Meta's handshake and Meta's deliveries."""

import logging

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from django.http import HttpResponse
from django.utils.crypto import constant_time_compare
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from runtime import crashpoints

from . import ingest, parsing, routing
from .routing import Signer
from .types import Rejected, WebhookBody

logger = logging.getLogger(__name__)

LARGEST = 3 * 1024 * 1024  # Meta's own limit for one delivery
OK = {"ok": True}


class WebhookView(APIView):
    """`/api/whatsapp/webhook`. Prove, parse, hand over, answer; nothing slow, nothing outside the database.

    https://developers.facebook.com/docs/graph-api/webhooks/getting-started
    """

    authentication_classes = ()
    permission_classes = ()

    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponse:
        """Meta asks whether we know the verify token, and wants its challenge back."""
        token = _only(request, "hub.verify_token")
        if _only(request, "hub.mode") != "subscribe" or not constant_time_compare(
            token.encode("utf-8", "replace"), settings.WHATSAPP_VERIFY_TOKEN.encode()
        ):
            return _text("wrong verify token", 403)
        challenge = _only(request, "hub.challenge")
        return _text(challenge, 200) if challenge else _text("hub.challenge is missing", 400)

    @extend_schema(exclude=True)
    def post(self, request: Request) -> Response:
        if "Transfer-Encoding" in request.headers:  # from another server than ours: Django would read an empty body
            return Response({"detail": "a Content-Length is required"}, status=411)
        if int(request.headers.get("Content-Length") or 0) > LARGEST:
            return Response({"detail": "larger than 3 MB"}, status=413)
        body = request.body  # the raw bytes, before anything parses them
        if len(body) > LARGEST:
            return Response({"detail": "larger than 3 MB"}, status=413)
        if not settings.WHATSAPP_ENABLED:
            logger.info("[WA] WHATSAPP_ENABLED is false: a delivery was taken and dropped")
            return Response(OK)
        crashpoints.reach("C1")
        return _receive(body, request.headers.get("X-Hub-Signature-256"))


def _receive(body: bytes, header: str | None) -> Response:
    """A connection may have died since the last delivery: once more on a new one, then Meta shall try later."""
    for last_try in (False, True):
        try:
            return _take(body, header)
        except (OperationalError, InterfaceError) as error:
            connection.close()
            if last_try:
                logger.error("the database is away, Meta will deliver again: %s", error)
    return Response({"detail": "the database is away"}, status=503)


def _take(body: bytes, header: str | None) -> Response:
    signer: Signer | None = routing.authenticate(body, header)
    if signer is None:
        logger.warning("[WA] a delivery with a missing or wrong signature was refused")
        return Response({"detail": "missing or wrong signature"}, status=403)
    ingest.accept(_parsed(body), signer)
    crashpoints.reach("C2")
    return Response(OK)


def _parsed(body: bytes) -> WebhookBody:
    try:
        return parsing.parse(parsing.loads(body))
    except parsing.UnreadableJson as error:
        text = parsing.clean(body.decode("utf-8", "replace"))
        rejected = Rejected(reason=error.reason, field="", phone_number_id="", raw={"body": text})
        return WebhookBody(messages=(), echoes=(), statuses=(), rejected=(rejected,))


def _only(request: Request, name: str) -> str:
    """A query parameter that stands there exactly once."""
    values = request.query_params.getlist(name)
    return values[0] if len(values) == 1 else ""


def _text(content: str, status: int) -> HttpResponse:
    return HttpResponse(content, content_type="text/plain; charset=utf-8", status=status)
