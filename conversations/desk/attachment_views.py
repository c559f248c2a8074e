"""Serves the files of messages to people who can see the conversation, safely whatever the files contain."""

import re
from collections.abc import Iterator

from django.core.files.base import File
from django.http import FileResponse, Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path

from audit.recording import record_reading
from conversations.files.attachments import Attachment
from conversations.files.file_types import download_name
from tenants.scoped_admin import TenantScopedAdmin

# What a browser can display without running anything. Other files are downloaded as application/octet-stream.
INLINE_IMAGES = {"image/jpeg", "image/png", "image/webp"}
INLINE_MEDIA = re.compile(r"(audio|video)/[a-z0-9]{2,8}")
_RANGE = re.compile(r"bytes=(\d{1,15})-(\d{0,15})")


class AttachmentViews(TenantScopedAdmin):
    """A mixin for the conversation admin, which decides who has access."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.attachment_view, cacheable=True)
        url = "<int:pk>/attachments/<int:attachment_id>/"
        return [path(url, view, name="conversations_attachment"), *super().get_urls()]

    def attachment_view(self, request: HttpRequest, pk: int, attachment_id: int) -> HttpResponseBase:
        conversation = get_object_or_404(self.get_queryset(request), pk=pk)
        attachment = get_object_or_404(Attachment, pk=attachment_id, message__conversation=conversation)
        if not attachment.is_stored:
            raise Http404("The file isn't available yet.")
        record_reading(conversation.tenant_id, conversation)
        name = attachment.preview.name if "preview" in request.GET else ""
        try:
            return respond(request, attachment, name or attachment.file.name or "")
        except FileNotFoundError:
            raise Http404("The file is missing from storage.") from None


def respond(request: HttpRequest, attachment: Attachment, name: str) -> HttpResponseBase:
    """The stored file with this name. Raises FileNotFoundError."""
    if not name:
        raise FileNotFoundError
    file = attachment.file.storage.open(name)
    is_preview = name != attachment.file.name
    mime_type = "image/jpeg" if is_preview else attachment.mime_type
    is_safe = mime_type in INLINE_IMAGES or INLINE_MEDIA.fullmatch(mime_type) is not None
    response = FileResponse(
        file,
        as_attachment=not is_safe,
        filename=download_name(attachment.filename, mime_type)
        or download_name(f"{attachment.kind}-{attachment.pk}", mime_type),
        content_type=mime_type if is_safe else "application/octet-stream",
    )
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "sandbox; default-src 'none'; media-src 'self'; style-src 'unsafe-inline'"
    response["Cross-Origin-Resource-Policy"] = "same-origin"
    response["Cache-Control"] = "private, max-age=3600"
    apply_range(request, response, file)
    return response


def apply_range(request: HttpRequest, response: FileResponse, file: "File[bytes]") -> None:
    """Answer a Range request: some browsers need it to play audio."""
    response["Accept-Ranges"] = "bytes"
    size = file.size
    requested = _RANGE.fullmatch(request.headers.get("Range", ""))
    if requested is None or int(requested[1]) >= size:
        return
    first, last = int(requested[1]), min(int(requested[2] or size - 1), size - 1)
    if first > last:
        return
    file.seek(first)
    response.streaming_content = _chunks(file, last - first + 1)
    response.status_code = 206
    response["Content-Range"] = f"bytes {first}-{last}/{size}"
    response["Content-Length"] = str(last - first + 1)


def _chunks(file: "File[bytes]", remaining: int) -> Iterator[bytes]:
    while remaining > 0 and (chunk := file.read(min(remaining, 64 * 1024))):
        remaining -= len(chunk)
        yield chunk
