"""The state of a source, in plain words."""

from dataclasses import dataclass

from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone

from .models import Chunk, Source

STATE = Source.State


@dataclass(frozen=True, slots=True)
class Status:
    """is_open: a job is working on it, so this changes soon."""

    words: str
    detail: str = ""
    is_open: bool = False
    is_problem: bool = False


def with_sizes(sources: "QuerySet[Source]") -> "QuerySet[Source]":
    """The sources with what their status and their size in lists are made from."""
    chunks = Chunk.objects.filter(tenant=OuterRef("tenant"), source=OuterRef("pk")).order_by().values("source")
    pages = Source.objects.filter(parent=OuterRef("pk")).order_by().values("parent")
    unread = pages.filter(state__in=[STATE.WAITING, STATE.READING])
    rows = {
        "chunk_count": chunks.annotate(number=Count("pk")).values("number"),
        "token_count": chunks.annotate(number=Sum("tokens")).values("number"),
        "page_count": pages.annotate(number=Count("pk")).values("number"),
        "open_count": unread.annotate(number=Count("pk")).values("number"),
        "failed_count": pages.filter(state=STATE.FAILED).annotate(number=Count("pk")).values("number"),
    }
    numbers = {name: Coalesce(Subquery(each, output_field=IntegerField()), 0) for name, each in rows.items()}
    return sources.annotate(**numbers).defer("text", "changes")


def status_of(source: Source) -> Status:
    """Of a source from `with_sizes`."""
    if source.state == STATE.WAITING:
        words = "Trying again soon" if source.error else "Waiting to be read"
        return Status(words, source.error, is_open=True)
    if source.state == STATE.READING:
        return Status("Being read", source.progress, is_open=True)
    if source.state == STATE.FAILED:
        return Status("Couldn't be read", source.error, is_problem=True)
    if source.kind == Source.Kind.SITEMAP:
        return _of_sitemap(*(getattr(source, name) for name in ("page_count", "open_count", "failed_count")))
    if not source.enabled:
        return Status("Off")
    if source.expires_at and source.expires_at <= timezone.now():
        return Status("Expired")
    return Status("Ready")


def _of_sitemap(pages: int, waiting: int, failed: int) -> Status:
    problem = f"{failed:,} couldn't be read" if failed else ""
    if waiting:
        return Status("Being read", ". ".join(filter(None, [f"{pages - waiting:,} of {pages:,} pages", problem])), True)
    return Status("Ready", ". ".join(filter(None, [f"{pages:,} pages", problem])), is_problem=bool(failed))
