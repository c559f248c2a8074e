"""The page of exports: owners request one, see how far it is, and download its parts."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.humanize.templatetags.humanize import intcomma
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.template.defaultfilters import filesizeformat
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join

from privacy.forms import ExportForm
from privacy.models import Export
from tenants.access import OWNERS
from tenants.scoped_admin import TenantScopedAdmin
from tenants.users import user_of

from . import requesting
from .downloading import part_response

REFRESH_SECONDS = 3


@admin.register(Export)
class ExportAdmin(TenantScopedAdmin):
    form = ExportForm
    may_view = OWNERS
    nothing_yet = "To get a copy of everything a business has, or of what it has about one person, add an export."
    list_display = ["__str__", "tenant", "contents", "state", "requested_by", "requested_at", "expires_at"]
    list_filter = ["tenant"]
    list_select_related = ["tenant", "requested_by"]
    ordering = ["-requested_at"]
    fields = ["tenant", "contents", "state", "parts", "requested_by", "requested_at", "finished_at", "expires_at"]
    readonly_fields = ["contents", "state", "parts", "requested_by", "requested_at", "finished_at", "expires_at"]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields if obj else ["tenant", "person"]

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        self.check_may_save(request, obj, change)
        obj.pk = requesting.request(obj.tenant, form.cleaned_data["found"], user_of(request)).pk

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        return super().log_addition(request, obj, "")  # not whom it's about

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        messages.info(request, "The export is being written. You can leave this page and come back later.")
        return redirect("admin:privacy_export_change", obj.pk)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        response: HttpResponse = super().change_view(request, object_id, form_url, extra_context)
        export = self.get_object(request, object_id)
        if export and not export.finished_at:
            response["Refresh"] = str(REFRESH_SECONDS)
        return response

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.part_view, cacheable=True)
        url = "<int:pk>/parts/<int:number>/"
        return [path(url, view, name="privacy_export_part"), *super().get_urls()]

    def part_view(self, request: HttpRequest, pk: int, number: int) -> HttpResponseBase:
        export = get_object_or_404(self.get_queryset(request), pk=pk)
        try:
            return part_response(request, get_object_or_404(export.parts, number=number))
        except FileNotFoundError:
            raise Http404("The file is missing from storage.") from None

    class Media:
        css = {"all": ["tenants/pages.css"]}

    @admin.display(description="state")
    def state(self, export: Export) -> str:
        if export.finished_at:
            return "Finished"
        count = (
            "Counting"
            if export.total is None
            else f"{intcomma(export.done)} of {intcomma(export.total)} rows and files"
        )
        trouble = f". It failed, and is tried again every minute: {export.error}" if export.error else ""
        return format_html(
            '<progress class="page-progress" max="100" value="{0}">{0} %</progress> {1}{2}',
            export.percent,
            count,
            trouble,
        )

    @admin.display(description="download")
    def parts(self, export: Export) -> str:
        links = (
            (
                reverse("admin:privacy_export_part", args=[export.pk, part.number]),
                part.number,
                filesizeformat(part.size),
            )
            for part in export.parts.all()
        )
        link = '<a class="text-primary-600 dark:text-primary-500" href="{}" download>Part {} ({})</a>'
        return format_html_join(", ", link, links) or "Not yet"
