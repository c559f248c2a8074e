"""The webhook's URL: Meta's handshake and Meta's deliveries."""

import logging
import time

from django.conf import settings
from django.db import DatabaseError, InterfaceError
from django.http import HttpResponse, JsonResponse
from django.utils.crypto import constant_time_compare
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.views import APIView

from runtime import crashpoints
from runtime.database import retry_on_new_connection
from runtime.group_commit import NotStored
from runtime.processes import counters
from runtime.row_security.scope import all_businesses

from . import ingest, parsing, quota, routing

logger = logging.getLogger(__name__)

MAX_BYTES = 3 * 1024 * 1024  # Meta's own limit for one delivery
OK = b'{"ok":true}'


class WebhookView(APIView):
    """`/api/whatsapp/webhook`: verify, parse, store, respond. Nothing slow, nothing outside the database.

    https://developers.facebook.com/docs/graph-api/webhooks/getting-started
    """

    authentication_classes = ()
    permission_classes = ()

    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponse:
        """Meta checks that we know the verify token, and expects its challenge back."""
        token = _only(request, "hub.verify_token")
        if _only(request, "hub.mode") != "subscribe" or not constant_time_compare(
            token.encode("utf-8", "replace"), settings.WHATSAPP_VERIFY_TOKEN.encode()
        ):
            return _text("wrong verify token", 403)
        challenge = _only(request, "hub.challenge")
        return _text(challenge, 200) if challenge else _text("hub.challenge is missing", 400)

    @extend_schema(exclude=True)
    @all_businesses()
    def post(self, request: Request) -> HttpResponse:
        began = time.monotonic()
        response = self._store(request)
        counters.observe("parley_webhook_seconds", time.monotonic() - began)
        counters.count("parley_webhook_requests_total", status=str(response.status_code))
        return response

    def _store(self, request: Request) -> HttpResponse:
        if "Transfer-Encoding" in request.headers:  # from another server than ours: Django would read an empty body
            return _error("a Content-Length is required", 411)
        if int(request.headers.get("Content-Length") or 0) > MAX_BYTES or len(request.body) > MAX_BYTES:
            return _error("larger than 3 MB", 413)
        if not settings.WHATSAPP_ENABLED:
            logger.info("[WA] WHATSAPP_ENABLED is false: a delivery was dropped")
            return _ok()
        crashpoints.reach("C1")
        header = request.headers.get("X-Hub-Signature-256")
        try:
            signer = retry_on_new_connection(lambda: routing.authenticate(request.body, header))
            if signer is None:
                logger.warning("[WA] refused a delivery with a missing or wrong signature")
                return _error("missing or wrong signature", 403)
            quota.spend(signer, len(request.body) // 1024)
            body = parsing.read(request.body)
            quota.spend(signer, len(body.items))
            ingest.accept(body, signer)
        except quota.QuotaExceeded as error:
            logger.warning("[WA] an app has delivered too much: %s", error)
            response = _error("too many deliveries, deliver it again", 429)
            response["Retry-After"] = str(error.seconds)
            return response
        except (NotStored, DatabaseError, InterfaceError) as error:
            logger.error("a delivery was not stored; Meta will deliver it again: %s", error, exc_info=error.__cause__)
            return _error("not stored, deliver it again", 503)
        crashpoints.reach("C2")
        return _ok()


def _only(request: Request, name: str) -> str:
    """A query parameter that is given exactly once."""
    values = request.query_params.getlist(name)
    return values[0] if len(values) == 1 else ""


def _ok() -> HttpResponse:
    return HttpResponse(OK, content_type="application/json")


def _error(detail: str, status: int) -> HttpResponse:
    return JsonResponse({"detail": detail}, status=status)


def _text(content: str, status: int) -> HttpResponse:
    return HttpResponse(content, content_type="text/plain; charset=utf-8", status=status)
