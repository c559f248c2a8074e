"""Leads: the people behind the conversations."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html

from conversations.desk import extensions
from conversations.models import Conversation
from tenants.access import NOBODY, OPERATORS
from tenants.scoped_admin import TenantScopedAdmin

from .export import as_csv, as_excel
from .models import Lead


@admin.register(Lead)
class LeadAdmin(TenantScopedAdmin):
    may_add = NOBODY  # a lead begins with a customer's first message
    may_change = OPERATORS
    nothing_yet = "Leads are created automatically from a customer's first message."
    list_display = ["__str__", "phone", "stage", "source", "snippet", "to_conversation", "created_at"]
    list_editable = ["stage"]
    list_filter = ["tenant", "stage", "source", ("created_at", admin.DateFieldListFilter)]
    list_select_related = ["conversation", "tenant"]
    search_fields = ["name", "phone", "first_text", "notes"]
    search_help_text = "Search by name, phone number, first message or notes"
    ordering = ["-created_at", "-pk"]
    readonly_fields = ["tenant", "to_conversation", "source", "first_text", "referral", "created_at"]
    actions = ["export_csv", "export_excel"]
    fields = ["name", "phone", "stage", "notes", "fields", *readonly_fields]

    def formfield_for_choice_field(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_choice_field(db_field, request, **kwargs)
        if field:
            field.widget.attrs["aria-label"] = db_field.verbose_name.capitalize()  # shown in the list without a label
        return field

    @admin.action(description="Export as CSV", permissions=["view"])
    def export_csv(self, request: HttpRequest, leads: "QuerySet[Lead]") -> HttpResponseBase:
        return as_csv(leads)

    @admin.action(description="Export as Excel", permissions=["view"])
    def export_excel(self, request: HttpRequest, leads: "QuerySet[Lead]") -> HttpResponseBase:
        return as_excel(leads)

    @admin.display(description="first message")
    def snippet(self, lead: Lead) -> str:
        return lead.first_text if len(lead.first_text) <= 60 else f"{lead.first_text[:59]}…"

    @admin.display(description="conversation")
    def to_conversation(self, lead: Lead) -> str:
        url = reverse("admin:conversations_conversation_change", args=[lead.conversation_id])
        return format_html('<a class="text-primary-600 dark:text-primary-500" href="{}">Open</a>', url)


@extensions.register(extensions.panels)
def lead_panel(conversation: Conversation) -> str:
    lead = Lead.objects.filter(conversation=conversation).first()
    return render_to_string("leads/panel.html", {"lead": lead}) if lead else ""


@extensions.register(extensions.badges)
def stages(conversations: Sequence[Conversation]) -> dict[int, str]:
    leads = Lead.objects.filter(conversation__in=conversations).exclude(stage=Lead.Stage.NEW)
    return {pk: Lead.Stage(stage).label for pk, stage in leads.values_list("conversation_id", "stage")}
