"""Sending a part of an export: large, so a download that breaks off can continue from where it stopped."""

from django.http import FileResponse, HttpRequest

from conversations.desk.attachment_views import apply_range
from privacy.models import ExportPart


def part_response(request: HttpRequest, part: ExportPart) -> FileResponse:
    """Raises FileNotFoundError."""
    file = part.file.open()
    name = f"export-{part.export_id}-part-{part.number}.zip"
    response = FileResponse(file, as_attachment=True, filename=name, content_type="application/zip")
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-store"
    apply_range(request, response, file)
    return response
