"""The audit log's page. Owners see that of their business, and superusers everything."""

import datetime as dt
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from unfold.contrib.filters.admin import RangeDateFilter
from unfold.utils import parse_date_str

from audit.choices import Action, ActorKind
from audit.models import AuditEntry
from audit.recording import record
from audit.sentences import sentence
from runtime.untrusted_json import as_id
from tenants.access import OWNERS, for_user, is_installation_admin, tenants_of
from tenants.models import Membership
from tenants.scoped_admin import ReadOnlyAdmin
from tenants.users import display_name

from . import exporting

MOST_PEOPLE = 200


class Who(admin.SimpleListFilter):
    """The members of the viewer's businesses, and what isn't a person."""

    title = "who"
    parameter_name = "who"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        members = for_user(Membership.objects.all(), request.user, "tenant", OWNERS).values("user")
        people = User.objects.filter(pk__in=members).order_by("username")[:MOST_PEOPLE]
        others = [(kind.value, str(kind.label)) for kind in ActorKind if kind != ActorKind.PERSON]
        return [*((str(user.pk), display_name(user)) for user in people), *others]

    def queryset(self, request: HttpRequest, queryset: "QuerySet[AuditEntry]") -> "QuerySet[AuditEntry]":
        value = self.value() or ""
        if pk := as_id(value):
            return queryset.filter(actor_kind=ActorKind.PERSON, actor_id=pk)
        return queryset.filter(actor_kind=value) if value in ActorKind.values else queryset


class Between(RangeDateFilter):  # type: ignore[misc]  # unfold has no types
    """Whole days, in the viewer's time zone."""

    def queryset(self, request: HttpRequest, queryset: "QuerySet[AuditEntry]") -> "QuerySet[AuditEntry]":
        for end, lookup, days in (("from", "at__gte", 0), ("to", "at__lt", 1)):
            day = parse_date_str(self.used_parameters.get(f"at_{end}") or "")
            if day is not None:
                start = dt.datetime.combine(day, dt.time(), timezone.get_current_timezone())
                queryset = queryset.filter(**{lookup: start + dt.timedelta(days=days)})
        return queryset


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    may_view = OWNERS
    change_list_template = "privacy/audit_log.html"
    nothing_yet = "What your team does appears here: signing in, reading conversations, changing settings."
    list_display = ["at", "actor", "what", "address"]
    list_display_links = ["at"]
    list_filter = ["tenant", Who, "action", ("at", Between)]
    search_fields = ["actor", "object", "business", "address"]
    search_help_text = "Search by name, IP address, or what it was about"
    ordering = ["-pk"]
    readonly_fields = ["at", "actor", "kind", "address", "business", "what_happened", "all_changes"]
    fields = tuple(readonly_fields)

    class Media:
        css = {"all": ["tenants/pages.css", "privacy/audit_log.css"]}

    def get_list_display(self, request: HttpRequest) -> Any:
        has_several = is_installation_admin(request.user) or len(tenants_of(request.user, OWNERS)) > 1
        return [*self.list_display, "business"] if has_several else self.list_display

    def get_urls(self) -> list[URLPattern]:
        export = self.admin_site.admin_view(self.export_view)
        return [path("export/<str:kind>/", export, name="audit_export"), *super().get_urls()]

    def export_view(self, request: HttpRequest, kind: str) -> HttpResponseBase:
        """What the list shows with these filters, as a file."""
        if not self.has_view_permission(request) or kind not in ("csv", "json"):
            return HttpResponse(status=403)
        found = self.get_changelist_instance(request).get_queryset(request)
        of_whom = [None] if is_installation_admin(request.user) else tenants_of(request.user, OWNERS)
        record(Action.EXPORTED, of_whom, object="the audit log")
        return exporting.as_csv(found) if kind == "csv" else exporting.as_json(found)

    @admin.display(description="what", ordering="action")
    def what(self, entry: AuditEntry) -> str:
        return sentence(entry)

    @admin.display(description="what happened")
    def what_happened(self, entry: AuditEntry) -> str:
        return f"{entry.actor} {sentence(entry)}"

    @admin.display(description="by")
    def kind(self, entry: AuditEntry) -> str:
        return str(entry.get_actor_kind_display())

    @admin.display(description="changes")
    def all_changes(self, entry: AuditEntry) -> str:
        rows = [
            (each["field"], each.get("before", "not shown"), each.get("after", "not shown")) for each in entry.changes
        ]
        body = format_html_join("", "<tr><th>{}</th><td>{}</td><td>{}</td></tr>", rows)
        table = '<table class="audit-changes"><tr><th>Field</th><th>Before</th><th>After</th></tr>{}</table>'
        return format_html(table, body) if rows else "-"
