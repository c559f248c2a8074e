"""What the assistant knows: the list, and the page of one source."""

from typing import Any

from django.contrib import admin, messages
from django.core.files.base import File
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString, mark_safe

from runtime.untrusted_json import as_id
from tenants.access import OPERATORS, for_user
from tenants.models import Tenant
from tenants.scoped_admin import Rows

from . import exchange, indexing, sources, states
from .forms import FIELDS, HELP, LABELS, for_kind
from .models import WRITTEN_HERE, Source
from .pages import KnowledgePages, status_html
from .unanswered import UnansweredQuestion
from .unanswered_admin import ANSWERING, UnansweredQuestionAdmin, mark_answered

__all__ = ["SourceAdmin", "UnansweredQuestionAdmin"]  # the second is imported to register it

PREVIEWED = 20  # chunks on one page
MOST_METERS = 10


class OfSitemap(admin.SimpleListFilter):
    """The list is of what people added. The pages that a sitemap brought are listed from the sitemap's own page."""

    title = "sitemap"
    parameter_name = "sitemap"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        visible = model_admin.get_queryset(request).values("pk")
        sitemaps = Source.objects.filter(pk__in=visible, kind=Source.Kind.SITEMAP)  # without their sizes
        return [(str(source.pk), str(source)) for source in sitemaps.order_by("-pk")[:100]]

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Source]") -> "QuerySet[Source]":
        value = self.value() or ""
        if pk := as_id(value):
            return queryset.filter(parent=pk)
        return queryset if request.GET.get("q") else queryset.filter(parent=None)


@admin.register(Source)
class SourceAdmin(KnowledgePages):
    may_add = may_change = may_delete = OPERATORS
    change_form_template = "knowledge/change_form.html"
    change_list_template = "knowledge/change_list.html"
    nothing_yet = (
        "Add the questions that customers often ask, a price list or your website. The assistant answers from it "
        "and says when it doesn't know something."
    )
    list_display = ["__str__", "kind", "status", "enabled", "size", "updated_at"]
    list_filter = ["tenant", "kind", "state", "enabled", OfSitemap]
    list_select_related = ["tenant"]
    search_fields = ["title", "text", "url", "filename"]
    search_help_text = "Search by title, text, URL or file name"
    ordering = ["-pk"]
    actions = ["read_again", "switch_on", "switch_off", "export_csv", "export_json"]

    # --- the list ---

    def get_queryset(self, request: HttpRequest) -> Rows:
        return states.with_sizes(super().get_queryset(request))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        tenants = for_user(Tenant.objects.filter(deletion_requested_at=None), request.user, "pk", self.may_view)
        chosen = request.GET.get("tenant__id__exact", "")
        if pk := as_id(chosen):
            tenants = tenants.filter(pk=pk)
        meters = [(tenant, indexing.meter(tenant.pk)) for tenant in tenants.order_by("name")[:MOST_METERS]]
        used = [(tenant, meter) for tenant, meter in meters if meter.tokens]
        return super().changelist_view(request, {**(extra_context or {}), "meters": used})

    @admin.display(description="status", ordering="state")
    def status(self, source: Source) -> SafeString:
        return mark_safe(status_html(source))  # noqa: S308 - rendered from a template

    @admin.display(description="size")
    def size(self, source: Source) -> str:
        return f"{source.token_count:,} tokens" if source.token_count else ""  # type: ignore[attr-defined]

    @admin.action(description="Read again now", permissions=["change"])
    def read_again(self, request: HttpRequest, rows: "QuerySet[Source]") -> None:
        count = sources.read_again(Source.objects.filter(pk__in=rows.values("pk")))
        messages.success(request, f"{count} will be read again. Questions and texts were skipped.")

    @admin.action(description="Switch on", permissions=["change"])
    def switch_on(self, request: HttpRequest, rows: "QuerySet[Source]") -> None:
        sources.switch(Source.objects.filter(pk__in=rows.values("pk")), True)

    @admin.action(description="Switch off", permissions=["change"])
    def switch_off(self, request: HttpRequest, rows: "QuerySet[Source]") -> None:
        sources.switch(Source.objects.filter(pk__in=rows.values("pk")), False)

    @admin.action(description="Export questions and texts as CSV", permissions=["view"])
    def export_csv(self, request: HttpRequest, rows: "QuerySet[Source]") -> HttpResponse:
        return _download(exchange.as_csv(Source.objects.filter(pk__in=rows.values("pk"))), "text/csv", "knowledge.csv")

    @admin.action(description="Export questions and texts as JSON", permissions=["view"])
    def export_json(self, request: HttpRequest, rows: "QuerySet[Source]") -> HttpResponse:
        found = exchange.as_json(Source.objects.filter(pk__in=rows.values("pk")))
        return _download(found, "application/json", "knowledge.json")

    # --- one source ---

    def _kind(self, request: HttpRequest, source: Source | None) -> str:
        asked = request.GET.get("kind", "")
        return source.kind if source else asked if asked in Source.Kind.values else Source.Kind.QUESTION

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        kind = self._kind(request, obj)
        kwargs["form"] = for_kind(kind, is_new=obj is None)
        kwargs.update(labels=LABELS.get(Source.Kind(kind)), help_texts=HELP.get(Source.Kind(kind)))
        return super().get_form(request, obj, change, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        kind = Source.Kind(self._kind(request, obj))
        first = ["files"] if kind == Source.Kind.FILE and obj is None else FIELDS[kind]
        more = [name for name in ("public_url", "enabled", "expires_at") if first == ["files"]]
        return [(None, {"fields": ["tenant", *first, *more]})]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [] if obj is None else ["tenant", *(["url"] if obj.parent_id else [])]

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        source: Source | None = context.get("original")
        context.update(kinds=Source.Kind.choices, kind=self._kind(request, source))
        if source:
            context.update(self._shown(request, source))
        return super().render_change_form(request, context, *args, **kwargs)

    def _shown(self, request: HttpRequest, source: Source) -> dict[str, Any]:
        page = request.GET.get("chunks", "1")
        page_number = int(page) if page.isascii() and page.isdecimal() and len(page) < 6 else 1
        found = self.get_paginator(request, source.chunks.order_by("position").defer("words"), PREVIEWED)
        return {
            "status_html": mark_safe(status_html(source)),  # noqa: S308 - rendered from a template
            "is_read": source.kind not in WRITTEN_HERE,
            "changes": [(line[:1], line[2:] if line[:1] in "+-" else line) for line in source.changes.splitlines()],
            "chunks": found.get_page(page_number),
            "chunk_pages": -(-source.chunk_count // PREVIEWED),  # type: ignore[attr-defined]
        }

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        given: dict[str, Any] = super().get_changeform_initial_data(request)
        if ANSWERING in request.GET:
            given["text"] = self.admin_site.get_model_admin(UnansweredQuestion).replied(request)  # type: ignore[attr-defined]
        return given

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        # Everything in Django's own view is one transaction.
        with sources.announced(request.FILES.getlist("files")) as names:
            request.announced = names  # type: ignore[attr-defined]
            return super().changeform_view(request, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: Source, form: Any, change: bool) -> None:
        self.check_may_save(request, obj, change)
        uploads: list[File[bytes]] = form.cleaned_data.get("files", [])
        if not uploads:
            sources.save(obj)
            mark_answered(request, obj)
        for number, upload in enumerate(uploads):
            # The first one is the row that the page was for.
            source = Source(**{name: getattr(obj, name) for name in COPIED}) if number else obj
            sources.add_file(source, upload, request.announced[number])  # type: ignore[attr-defined]
        if len(uploads) > 1:
            messages.success(request, f"The assistant will read all {len(uploads)} files.")


COPIED = ("tenant", "public_url", "enabled", "expires_at")


def _download(text: str, mime_type: str, name: str) -> HttpResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(text, content_type=f"{mime_type}; charset=utf-8", headers=headers)
