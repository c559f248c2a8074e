import hashlib
import hmac
import json

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from .models import Conversation, Message
from .tasks import answer


@csrf_exempt
@require_POST
def webhook(request: HttpRequest) -> HttpResponse:
    digest = hmac.new(settings.WHATSAPP_APP_SECRET.encode(), request.body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(request.headers.get("X-Hub-Signature-256", ""), f"sha256={digest}"):
        return HttpResponseForbidden()
    for entry in json.loads(request.body)["entry"]:
        for change in entry["changes"]:
            value = change["value"]
            for message in value.get("messages", []):
                receive(value["metadata"]["phone_number_id"], message)
    return JsonResponse({"ok": True})


def receive(number: str, message: dict[str, dict[str, str]]) -> None:
    conversation, _ = Conversation.objects.get_or_create(phone_number_id=number, customer=message["from"])
    stored, created = Message.objects.get_or_create(
        wamid=message["id"],
        defaults={
            "conversation": conversation,
            "role": "user",
            "text": message["text"]["body"],
            "raw_json": message,
        },
    )
    if created:
        answer.delay(stored.pk)
