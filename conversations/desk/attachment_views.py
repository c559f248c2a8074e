"""The file of a message, for those who may see its conversation, and harmless whatever is in it."""

import re
from typing import TYPE_CHECKING, Any

from django.http import FileResponse, Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path

from conversations.files.attachments import Attachment

if TYPE_CHECKING:
    from tenants.scoped_admin import TenantScopedAdmin

    Base = TenantScopedAdmin
else:
    Base = object

# What a browser shows without running anything; all the rest is downloaded, as bytes of no type.
SHOWN = {"image/jpeg", "image/png", "image/webp"}
PLAYED = re.compile(r"(audio|video)/[a-z0-9]{2,8}")
_RANGE = re.compile(r"bytes=(\d{1,15})-(\d{0,15})")


class AttachmentViews(Base):
    """Mixed into the admin of the conversations, which says who may."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.attachment_view, cacheable=True)
        address = "<int:pk>/attachments/<int:attachment_id>/"
        return [path(address, view, name="conversations_attachment"), *super().get_urls()]

    def attachment_view(self, request: HttpRequest, pk: int, attachment_id: int) -> HttpResponseBase:
        conversation = get_object_or_404(self.get_queryset(request), pk=pk)
        attachment = get_object_or_404(Attachment, pk=attachment_id, message__conversation=conversation)
        if not attachment.is_stored:
            raise Http404("The file is not there, or not yet.")
        name = attachment.preview.name if "preview" in request.GET else ""
        try:
            return respond(request, attachment, name or attachment.file.name or "")
        except FileNotFoundError:
            raise Http404("The file is not in the storage.") from None


def respond(request: HttpRequest, attachment: Attachment, name: str) -> HttpResponseBase:
    """The stored file of this name. Raises FileNotFoundError."""
    if not name:
        raise FileNotFoundError
    file = attachment.file.storage.open(name)
    is_preview = name != attachment.file.name
    mime_type = "image/jpeg" if is_preview else attachment.mime_type
    is_safe = mime_type in SHOWN or PLAYED.fullmatch(mime_type) is not None
    response = FileResponse(
        file,
        as_attachment=not is_safe,
        filename=_shown_name(attachment),
        content_type=mime_type if is_safe else "application/octet-stream",
    )
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "sandbox; default-src 'none'; media-src 'self'; style-src 'unsafe-inline'"
    response["Cross-Origin-Resource-Policy"] = "same-origin"
    response["Cache-Control"] = "private, max-age=3600"
    _shorten(request, response, file)
    return response


def _shown_name(attachment: Attachment) -> str:
    """The sender's name for it without any folder, else one of ours."""
    name = re.sub(r"[\x00-\x1f\x7f]", "", re.split(r"[/\\]", attachment.filename)[-1]).strip(" .")
    return name or f"{attachment.kind}-{attachment.pk}"


def _shorten(request: HttpRequest, response: FileResponse, file: Any) -> None:
    """A part, where the browser asks for one: without it some play no sound."""
    response["Accept-Ranges"] = "bytes"
    size = file.size
    asked = _RANGE.fullmatch(request.headers.get("Range", ""))
    if asked is None or int(asked[1]) >= size:
        return
    first, last = int(asked[1]), min(int(asked[2] or size - 1), size - 1)
    if first > last:
        return
    file.seek(first)
    response.streaming_content = _pieces(file, last - first + 1)
    response.status_code = 206
    response["Content-Range"] = f"bytes {first}-{last}/{size}"
    response["Content-Length"] = str(last - first + 1)


def _pieces(file: Any, left: int) -> Any:
    while left > 0 and (piece := file.read(min(left, 64 * 1024))):
        left -= len(piece)
        yield piece
