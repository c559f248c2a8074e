"""The desk: the list of conversations and the page of each, with its transcript. Plus messages and pauses."""

from typing import Any, Protocol

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.contrib.humanize.templatetags.humanize import naturaltime
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html, format_html_join
from unfold.decorators import display

from conversations.desk.attachment_views import AttachmentViews
from conversations.desk.list_rows import ListRow, rows_for
from conversations.desk.views import DeskViews, header_context, mark_seen, window_left
from conversations.replies import reply_blocker
from tenants.access import NOBODY, OPERATORS, is_installation_admin, tenants_of
from tenants.empty_states import EmptyState
from tenants.scoped_admin import ReadOnlyAdmin, TenantScopedAdmin
from tenants.users import display_name, user_of

from . import search
from .desk import extensions, transcript
from .models import Conversation, ConversationMessage
from .outbox.admin import PauseAdmin

__all__ = ["ConversationAdmin", "ConversationMessageAdmin", "PauseAdmin"]  # the last is imported to register it

SNIPPET_LENGTH = 80


class Listed(Protocol):
    """What the list adds to its conversations."""

    row: ListRow
    badges: list[str]


@admin.register(Conversation)
class ConversationAdmin(AttachmentViews, DeskViews, TenantScopedAdmin):
    may_add = NOBODY  # a conversation begins with a customer's message
    may_change = OPERATORS
    change_form_template = "conversations/change_form.html"
    list_display = ["contact", "snippet", "last_message", "handler", "person_needed", "window", "labels", "tenant"]
    nothing_yet = "Conversations appear here when customers message your number. Send it a message to try it out."
    list_per_page = 50
    list_filter = [
        "tenant",
        "handled_by",
        ("needs_person", admin.EmptyFieldListFilter),
        "is_active",
        "phone_number_id",
        ("last_message_at", admin.DateFieldListFilter),
    ]
    list_select_related = ["tenant", "operator"]
    search_fields = ["contact_name", "external_id", "contact_user_id"]
    search_help_text = "Search by name, number or message text"
    ordering = [F("last_message_at").desc(nulls_last=True), "-pk"]
    readonly_fields = [
        "tenant",
        "channel",
        "external_id",
        "contact_user_id",
        "phone_number_id",
        "created_at",
        "last_inbound_at",
        "last_message_at",
    ]
    fields = ["contact_name", "is_active", *readonly_fields]

    class Media:
        css = {"all": ["conversations/desk.css"]}
        js = ["conversations/desk.js"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    # --- the list ---

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        changes: ChangeList = super().get_changelist_instance(request)
        conversations = list(changes.result_list)
        rows, badges = rows_for(conversations), extensions.badges_for(conversations)
        for conversation in conversations:
            vars(conversation).update(row=rows.get(conversation.pk, ListRow()), badges=badges.get(conversation.pk, []))
        changes.result_list = conversations
        return changes

    def get_list_display(self, request: HttpRequest) -> Any:
        columns = super().get_list_display(request)
        several = is_installation_admin(request.user) or len(tenants_of(request.user)) > 1
        return columns if several else [column for column in columns if column != "tenant"]

    def get_search_results(
        self, request: HttpRequest, queryset: "QuerySet[Conversation]", search_term: str
    ) -> tuple["QuerySet[Conversation]", bool]:
        if not search_term.strip():
            return queryset, False
        return search.find(queryset, search_term), False

    def empty_state(self, request: HttpRequest) -> EmptyState:
        return extensions.first_step_for(request) or super().empty_state(request)

    @display(header=True, description="contact", ordering="contact_name")  # type: ignore[untyped-decorator]
    def contact(self, conversation: Conversation) -> tuple[str, str]:
        number = f"+{conversation.phone}" if conversation.phone else "no phone number"
        return (str(conversation), number) if conversation.contact_name else (number, "")

    @admin.display(description="last message")
    def snippet(self, conversation: Listed) -> str:
        count = conversation.row.unread_label
        unread = format_html('<span class="desk-unread" title="unread">{}</span>', count) if count else ""
        return format_html('<span class="desk-snippet">{}<bdi>{}</bdi></span>', unread, conversation.row.snippet)

    @admin.display(description="labels")
    def labels(self, conversation: Listed) -> str:
        return format_html_join(" ", '<span class="desk-badge">{}</span>', ((b,) for b in conversation.badges))

    @admin.display(description="when", ordering="last_message_at")
    def last_message(self, conversation: Conversation) -> str:
        return naturaltime(conversation.last_message_at) if conversation.last_message_at else "—"

    @display(description="handled by", ordering="handled_by", label={"Assistant": "info", "Off": "danger"})  # type: ignore[untyped-decorator]
    def handler(self, conversation: Conversation) -> str:
        if conversation.handled_by == Conversation.Handler.OPERATOR:
            return display_name(conversation.operator) if conversation.operator else "Team"
        return "Assistant" if conversation.is_active and not conversation.is_group else "Off"

    @admin.display(description="needs attention", ordering="needs_person_since", empty_value="")
    def person_needed(self, conversation: Conversation) -> str:
        reason = conversation.needs_person
        return format_html('<span class="desk-reason" title="{0}">{0}</span>', reason) if reason else ""

    @admin.display(description="window", ordering="last_inbound_at")
    def window(self, conversation: Conversation) -> str:
        return window_left(conversation) or "closed"

    # --- one conversation ---

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        conversation = self.get_object(request, object_id)
        desk = self._desk_context(request, conversation) if conversation else {}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **desk})

    def _desk_context(self, request: HttpRequest, conversation: Conversation) -> dict[str, Any]:
        before = request.GET.get("before", "")
        page = transcript.older(conversation, int(before)) if before.isdecimal() else transcript.newest(conversation)
        may_write = self.has_change_permission(request, conversation)
        if may_write and not before:
            mark_seen(conversation, page)
        return {
            "conversation": conversation,
            "page": page,
            "is_newest": not before,
            "seen": transcript.digest(conversation, page),
            "may_write": may_write,
            "reply_blocker": reply_blocker(conversation, user_of(request)),
            **header_context(conversation),
            "panels": [html for panel in extensions.panels if (html := panel(conversation))],
        }


@admin.register(ConversationMessage)
class ConversationMessageAdmin(ReadOnlyAdmin):
    tenant_path = "conversation__tenant"
    list_display = ["id", "conversation", "role", "origin", "kind", "snippet", "status", "created_at"]
    list_filter = ["conversation__tenant", "role", "status", "kind", "origin"]
    list_select_related = ["conversation", "author"]
    search_fields = ["text"]  # shows the search box; get_search_results searches
    search_help_text = "Search by message text or wamid"
    ordering = ["-pk"]
    date_hierarchy = None

    def get_search_results(
        self, request: HttpRequest, queryset: "QuerySet[ConversationMessage]", search_term: str
    ) -> tuple["QuerySet[ConversationMessage]", bool]:
        term = search_term.strip()
        return (search.find_messages(queryset, term) if term else queryset), False

    @admin.display(description="text")
    def snippet(self, message: ConversationMessage) -> str:
        return message.text if len(message.text) <= SNIPPET_LENGTH else f"{message.text[:SNIPPET_LENGTH]}…"
