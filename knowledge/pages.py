"""The pages of knowledge that aren't Django's own: the state of sources, reading them again, and importing."""

from typing import Any, cast

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST

from runtime.untrusted_files.encoding import decoded
from runtime.untrusted_files.refusal import Refused
from runtime.untrusted_json import as_id
from tenants.access import for_user
from tenants.models import Tenant
from tenants.scoped_admin import TenantScopedAdmin

from . import exchange, sources, states
from .indexing import TooMuch
from .models import Source

MOST_ASKED = 200  # sources of one request for their status
PREVIEWED = 100  # rows of each kind that the import's preview shows


class ImportForm(forms.Form):
    tenant = forms.ModelChoiceField(Tenant.objects.none(), label="Business")
    file = forms.FileField(required=False, label="CSV or JSON file")
    content = forms.CharField(required=False, strip=False, widget=forms.HiddenInput)  # of the file, to be confirmed

    def __init__(self, tenants: Any, *args: Any) -> None:
        super().__init__(*args)
        field = cast("forms.ModelChoiceField[Tenant]", self.fields["tenant"])
        field.queryset, field.initial = tenants, tenants.first()
        self.is_for_one = len(tenants[:2]) == 1

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("file"):
            if data["file"].size > 4 * exchange.LARGEST:
                raise forms.ValidationError(f"The file has more than {exchange.LARGEST:,} characters. Split it.")
            try:
                data["content"] = decoded(data["file"].read())
            except Refused:
                raise forms.ValidationError("This isn't a CSV or JSON file.") from None
        if not data.get("content"):
            raise forms.ValidationError("Choose a file.")
        return data


class KnowledgePages(TenantScopedAdmin):
    """A mixin for the admin of sources, which decides who has access."""

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("status/", wrap(self.status_view), name="knowledge_status"),
            path("import/", wrap(self.import_view), name="knowledge_import"),
            path("<int:pk>/read-again/", wrap(require_POST(self.read_again_view)), name="knowledge_read_again"),
            *super().get_urls(),
        ]

    def status_view(self, request: HttpRequest) -> JsonResponse:
        """The status of these sources as HTML, by ID, for pages that are open while a job works."""
        asked = [pk for text in request.GET.getlist("id")[:MOST_ASKED] if (pk := as_id(text))]
        rows = self.get_queryset(request).filter(pk__in=asked)
        return JsonResponse({str(source.pk): status_html(source) for source in rows})

    def read_again_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        source: Source = get_object_or_404(self.get_queryset(request), pk=pk)
        if not self.has_change_permission(request, source):
            raise PermissionDenied
        sources.read_again(Source.objects.filter(pk=pk))
        return redirect(reverse("admin:knowledge_source_change", args=[pk]))

    def import_view(self, request: HttpRequest) -> HttpResponse:
        """A file is read and what it would change is shown; the second POST carries it out."""
        tenants = self._tenants(request)
        if not tenants.exists():
            raise PermissionDenied
        form = ImportForm(tenants, request.POST or None, request.FILES or None)
        plan = exchange.Plan()
        if request.method == "POST" and form.is_valid():
            try:
                plan = exchange.plan(form.cleaned_data["tenant"], form.cleaned_data["content"])
                if "confirmed" in request.POST and not plan.problems:
                    exchange.carry_out(plan)
                    messages.success(request, f"Imported: {len(plan.new)} new, {len(plan.changed)} changed.")
                    return redirect(reverse("admin:knowledge_source_changelist"))
            except (exchange.Unreadable, TooMuch) as error:
                form.add_error(None, str(error))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Import questions and texts",
            "form": form,
            "plan": plan,
            "is_planned": form.is_bound and form.is_valid(),
            "most": PREVIEWED,
        }
        return render(request, "knowledge/import.html", context)

    def _tenants(self, request: HttpRequest) -> Any:
        """The businesses whose knowledge the user may add to."""
        return for_user(Tenant.objects.filter(deletion_requested_at=None), request.user, "pk", self.may_add)


def status_html(source: Source) -> str:
    """Of a source from `states.with_sizes`."""
    return render_to_string("knowledge/status.html", {"source": source, "status": states.status_of(source)})
