"""Leads: the people behind the conversations."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html

from conversations import search
from conversations.desk import extensions
from conversations.models import Conversation
from conversations.search_functions import Words
from tenants.access import NOBODY, OPERATORS, OWNERS
from tenants.scoped_admin import TenantScopedAdmin

from .export import as_csv, as_excel
from .models import SEARCHED, Lead, LeadField

FIELD = "field-"  # the prefix of a custom field's name in the form


@admin.register(LeadField)
class LeadFieldAdmin(TenantScopedAdmin):
    may_view = OWNERS
    nothing_yet = "Add what you want to know about your customers. The assistant notes it when they mention it."
    list_display = ["name", "type", "description"]
    list_filter = ["tenant"]
    list_select_related = ["tenant"]
    ordering = ["tenant", "pk"]


class LeadForm(forms.ModelForm[Lead]):
    """Its inputs for custom fields are added by `LeadAdmin.get_form`."""

    def save(self, commit: bool = True) -> Lead:
        """A value that a person entered stays until a person removes it."""
        fields, sources = self.instance.fields, self.instance.field_sources
        for name in (changed.removeprefix(FIELD) for changed in self.changed_data if changed.startswith(FIELD)):
            if value := self.cleaned_data[f"{FIELD}{name}"]:
                fields[name], sources[name] = value, None
            else:
                fields.pop(name, None)
                sources.pop(name, None)
        return super().save(commit)


class CustomField(NamedTuple):
    """value: as people read it; "" if there's none."""

    name: str
    label: str
    help_text: str
    value: str


def fields_of(lead: Lead) -> list[CustomField]:
    """The business's fields, then values without one."""
    defined = list(LeadField.objects.filter(tenant=lead.tenant_id))
    known = {each.name for each in defined}
    others = [LeadField(name=name) for name, value in lead.fields.items() if name not in known and shown(value)]
    return [
        CustomField(each.name, each.label, each.description, shown(lead.fields.get(each.name)))
        for each in [*defined, *others]
    ]


def shown(value: object) -> str:
    """A value as people read it; "" for lists and objects, which only the API can store."""
    if isinstance(value, bool):
        return "Yes" if value else "No"
    return str(value) if isinstance(value, str | int | float) else ""


@admin.register(Lead)
class LeadAdmin(TenantScopedAdmin):
    may_add = NOBODY  # a lead begins with a customer's first message
    may_change = OPERATORS
    nothing_yet = "Leads are created automatically from a customer's first message."
    list_display = ["__str__", "phone", "stage", "source", "snippet", "to_conversation", "created_at"]
    list_editable = ["stage"]
    list_filter = ["tenant", "stage", "source", ("created_at", admin.DateFieldListFilter)]
    list_select_related = ["conversation", "tenant"]
    search_fields = ["name"]  # shows the search box; get_search_results searches
    search_help_text = "Search by name, phone number, first message or notes"
    ordering = ["-created_at", "-pk"]
    readonly_fields = ["tenant", "to_conversation", "source", "first_text", "referral", "created_at"]
    actions = ["export_csv", "export_excel"]

    def get_search_results(
        self, request: HttpRequest, queryset: "QuerySet[Lead]", search_term: str
    ) -> tuple["QuerySet[Lead]", bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        found = Q(conversation__in=search.indexed(conversations_of_leads(term)))
        return queryset.filter(found | search.numbered(term, "phone", None)), False

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        inputs = {
            f"{FIELD}{each.name}": forms.CharField(
                label=each.label, help_text=each.help_text, required=False, initial=each.value
            )
            for each in (fields_of(obj) if obj else [])
        }
        kwargs["form"] = type("LeadForm", (LeadForm,), inputs)
        return super().get_form(request, obj, change, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        custom = [f"{FIELD}{each.name}" for each in fields_of(obj)] if obj else []
        if not self.has_change_permission(request, obj):
            custom = ["custom_fields"]
        return [(None, {"fields": ["name", "phone", "stage", "notes", *custom, *self.readonly_fields]})]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return [*self.readonly_fields, "custom_fields"]

    @admin.display(description="custom fields")
    def custom_fields(self, lead: Lead) -> str:
        return "; ".join(f"{each.label}: {each.value}" for each in fields_of(lead) if each.value)

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


@extensions.register(search.elsewhere)
def conversations_of_leads(term: str) -> "QuerySet[Lead, int]":
    found = Lead.objects.filter(search.matching(term, Words(SEARCHED), SEARCHED))
    return found.values_list("conversation_id", flat=True)


@extensions.register(extensions.panels)
def lead_panel(conversation: Conversation) -> str:
    lead = Lead.objects.filter(conversation=conversation).first()
    if lead is None:
        return ""
    values = [
        {"label": each.label, "value": each.value, "message": lead.field_sources.get(each.name)}
        for each in fields_of(lead)
        if each.value
    ]
    return render_to_string("leads/panel.html", {"lead": lead, "values": values})


@extensions.register(extensions.badges)
def stages(conversations: Sequence[Conversation]) -> dict[int, str]:
    leads = Lead.objects.filter(conversation__in=conversations).exclude(stage=Lead.Stage.NEW)
    return {pk: Lead.Stage(stage).label for pk, stage in leads.values_list("conversation_id", "stage")}
