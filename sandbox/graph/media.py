"""Files on "Meta's" servers: upload, URL, and download with the token.

Source: https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/media
"""

import hashlib
import time
from typing import Any

from django.core import signing
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.cache import patch_cache_control
from django.views.decorators.csrf import csrf_exempt

from sandbox.graph.access import check_token, logged
from sandbox.graph.content import missing
from sandbox.graph.errors import GraphRefusal
from sandbox.models import Media, PhoneNumber
from sandbox.weather.rules import take

URL_SECONDS = 300
MB = 1024 * 1024
# The size limit of each type that a business can upload.
LIMITS = {
    **dict.fromkeys(("image/jpeg", "image/png"), 5 * MB),
    **dict.fromkeys(("audio/aac", "audio/mp4", "audio/mpeg", "audio/amr", "audio/ogg", "audio/opus"), 16 * MB),
    **dict.fromkeys(("video/mp4", "video/3gpp"), 16 * MB),
    "image/webp": MB // 2,
    **dict.fromkeys(
        (
            "text/plain",
            "application/pdf",
            "application/msword",
            "application/vnd.ms-excel",
            "application/vnd.ms-powerpoint",
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        ),
        100 * MB,
    ),
}


def keep(number: PhoneNumber, data: bytes, mime_type: str, filename: str = "", spoken: str = "") -> Media:
    return Media.objects.create(
        number=number,
        mime_type=mime_type[:100],
        filename=filename[:255],
        sha256=hashlib.sha256(data).hexdigest(),
        data=data,
        spoken=spoken,
    )


def upload(request: HttpRequest, phone_number_id: str) -> dict[str, str]:
    """Stores an uploaded file. Returns its ID. Raises GraphRefusal."""
    number = PhoneNumber.known_as(phone_number_id)
    check_token(request, number)
    if request.POST.get("messaging_product") != "whatsapp":
        raise missing("messaging_product")
    file = request.FILES.get("file")
    if file is None:
        raise missing("file")
    mime_type = request.POST.get("type") or file.content_type or ""
    limit = LIMITS.get(mime_type.partition(";")[0].strip().lower())
    if limit is None:
        raise GraphRefusal(
            100,
            "(#100) Param file must be a file with one of the following types: "
            f"{', '.join(LIMITS)}. Received file of type '{mime_type[:60]}'.",
        )
    if (file.size or 0) > limit:
        raise GraphRefusal(131053, details=f"Media file size is too large: more than {limit} bytes.")
    return {"id": keep(number, file.read(), mime_type, file.name or "").media_id}


def media_json(request: HttpRequest, file: Media) -> dict[str, Any]:
    check_token(request, file.number)
    facts = {"phone_number_id": file.number.phone_number_id}
    if rule := take("media", ["error"], facts):
        raise GraphRefusal(rule["code"])
    wrong = take("media", ["wrong_sha256"], facts) is not None
    path = reverse("sandbox:media-bytes", args=[file.media_id])
    signed = signing.dumps(int(time.time()), salt=file.media_id)
    return {
        "messaging_product": "whatsapp",
        "url": request.build_absolute_uri(f"{path}?oe={signed}"),
        "mime_type": file.mime_type,
        "sha256": hashlib.sha256(b"another file").hexdigest() if wrong else file.sha256,
        "file_size": len(Media.objects.values_list("data", flat=True).get(pk=file.pk)),
        "id": file.media_id,
    }


def delete_media(file: Media) -> dict[str, bool]:
    file.delete()
    return {"success": True}


@csrf_exempt
def media_bytes(request: HttpRequest, media_id: str) -> HttpResponseBase:
    """GET with the token, within 5 minutes of requesting the URL."""
    return logged(request, lambda: _bytes(request, media_id))


def _bytes(request: HttpRequest, media_id: str) -> HttpResponseBase:
    file = Media.objects.filter(media_id=media_id).first()
    if file is None:
        return JsonResponse({"error": "Not found"}, status=404)
    check_token(request, file.number)
    facts = {"phone_number_id": file.number.phone_number_id}
    if slow := take("media", ["slow"], facts):
        time.sleep(slow["seconds"])
    rule = take("media", ["expired", "html", "redirect"], facts)
    if (rule is not None and rule.kind == "expired") or not _is_fresh(request, media_id):
        return HttpResponse("URL signature expired", status=403, content_type="text/plain")
    if rule is not None and rule.kind == "redirect":
        return HttpResponseRedirect(rule["to"])
    data = b"<html><h1>Sorry</h1></html>" if rule is not None else bytes(file.data)
    response = HttpResponse(data, content_type=file.mime_type)
    patch_cache_control(response, private=True, no_store=True)
    return response


def _is_fresh(request: HttpRequest, media_id: str) -> bool:
    try:
        signing.loads(request.GET.get("oe", ""), salt=media_id, max_age=URL_SECONDS)
    except signing.BadSignature:
        return False
    return True
