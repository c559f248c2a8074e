"""The phone's page and its JSON API, which a bot's tests can use too (docs/sandbox.md)."""

from collections.abc import Callable
from functools import partial, wraps
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from sandbox.graph.media import keep
from sandbox.identifiers import digits_of
from sandbox.models import Chat, Customer, Media, Message, PhoneNumber
from sandbox.phone.as_json import chat_json, customer_json, number_json, people_json
from sandbox.phone.inbound import again, send_off
from sandbox.phone.messages import BadGesture, write
from sandbox.phone.people import add_customer, add_number, change_number, first_people
from sandbox.phone.posting import webhook_url
from sandbox.phone.statuses import announce_read
from sandbox.pool import pool
from sandbox.stored_json import loads

View = Callable[..., HttpResponseBase]


@require_GET
def phone(request: HttpRequest) -> HttpResponse:
    first_people()
    context = {"webhook_url": webhook_url(), "signed": bool(settings.WHATSAPP_APP_SECRETS)}
    response = render(request, "sandbox/phone.html", context)
    response["Permissions-Policy"] = "microphone=(self)"  # to record voice messages
    return response


def json_post(view: Callable[..., dict[str, Any]]) -> View:
    """A POST of a JSON object. Pages of other sites can't send this content type without a CORS preflight."""

    @csrf_exempt
    @require_POST
    @wraps(view)
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            if request.content_type != "application/json":
                raise BadGesture("Send JSON with Content-Type: application/json.")
            given = loads(request.body or b"{}")
            if not isinstance(given, dict):
                raise BadGesture("Send a JSON object.")
            return JsonResponse(view(request, given, *args, **kwargs))
        except ValueError as error:
            return JsonResponse({"error": str(error)}, status=400)

    return checked


@require_GET
def people(request: HttpRequest) -> HttpResponse:
    return JsonResponse(people_json())


@json_post
def numbers(request: HttpRequest, given: dict[str, Any]) -> dict[str, Any]:
    """Add a business number, or update the one with this ID."""
    return number_json(add_number(given))


@json_post
def customers(request: HttpRequest, given: dict[str, Any]) -> dict[str, Any]:
    try:
        with transaction.atomic():
            return customer_json(add_customer(given))
    except IntegrityError:
        raise BadGesture("Another customer already has this number.") from None


@json_post
def customer_number(request: HttpRequest, given: dict[str, Any], customer_id: int) -> dict[str, Any]:
    """Change a customer's phone number. Every business they wrote to gets a system message."""
    customer = get_object_or_404(Customer, pk=customer_id)
    try:
        with transaction.atomic():
            return customer_json(change_number(customer, given))
    except IntegrityError:
        raise BadGesture("Another customer already has this number.") from None


def _chat(phone_number_id: str, person: str) -> Chat:
    """`person` is a phone number or a user ID. Created if new, as in Graph requests."""
    number = PhoneNumber.known_as(phone_number_id)
    customer = Customer.objects.filter(user_id=person).first()
    if customer is None:
        if not digits_of(person):
            raise Http404(f"No customer has the phone number or user ID {person[:60]!r}.")
        customer = Customer.of_phone(person)
    return Chat.between(number, customer)


@require_GET
def chat(request: HttpRequest, phone_number_id: str, person: str) -> HttpResponse:
    return JsonResponse(chat_json(_chat(phone_number_id, person)))


@json_post
def messages(request: HttpRequest, given: dict[str, Any], phone_number_id: str, person: str) -> dict[str, Any]:
    """The customer does one of GESTURES. `{"kind": "again", "wamid": …}` posts a message once more."""
    found = _chat(phone_number_id, person)
    if given.get("kind") == "again":
        message = get_object_or_404(Message, chat=found, wamid=str(given.get("wamid")), from_customer=True)
        again(message)
    else:
        with transaction.atomic():
            message = write(found, given)
            transaction.on_commit(partial(send_off, message))
    return {"wamid": message.wamid}


@json_post
def seen(request: HttpRequest, given: dict[str, Any], phone_number_id: str, person: str) -> dict[str, Any]:
    """The customer opens the chat: delivered messages become read, and the business gets the statuses."""
    found = _chat(phone_number_id, person)
    if not found.customer.read_receipts:
        return {"read": 0}
    arrived = list(found.messages.filter(from_customer=False, state="delivered"))
    read = [message for message in arrived if message.advance("read")]
    for message in read:
        pool.submit(partial(announce_read, message.pk))
    return {"read": len(read)}


@csrf_exempt
@require_POST
def files(request: HttpRequest, phone_number_id: str) -> HttpResponseBase:
    """Upload a file: its content is the body, its type is in X-File-Type. The response has the media_id.

    `?filename=`, and `?spoken=` for what the transcription stand-in returns for a voice note.
    """
    mime_type = request.headers.get("X-File-Type", request.content_type or "application/octet-stream")
    # Not request.body, whose size limit is meant for webhooks.
    data = request.read()
    if request.content_type in ("application/x-www-form-urlencoded", "multipart/form-data", "text/plain"):
        return JsonResponse({"error": "Send the file as application/octet-stream, with X-File-Type."}, status=400)
    number, asked = PhoneNumber.known_as(phone_number_id), request.GET
    file = keep(number, data, mime_type, asked.get("filename", ""), asked.get("spoken", ""))
    return JsonResponse({"media_id": file.media_id})


@require_GET
def file(request: HttpRequest, media_id: str) -> HttpResponse:
    """A file for the browser. Never shown as a page, because customers can send HTML."""
    found = get_object_or_404(Media, media_id=media_id)
    kind = found.mime_type.partition("/")[0]
    shown = kind in ("image", "audio", "video") and "svg" not in found.mime_type
    response = HttpResponse(bytes(found.data), content_type=found.mime_type if shown else "application/octet-stream")
    if not shown:
        response["Content-Disposition"] = "attachment"
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response
