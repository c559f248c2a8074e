"""The inbox: the list of conversations and the page of each, with its transcript. Plus messages and pauses."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import ChangeList
from django.db.models import F, Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from audit.recording import record_reading
from conversations.desk.attachment_views import AttachmentViews
from conversations.desk.inbox import InboxList
from conversations.desk.views import DeskViews
from tenants.access import NOBODY, OPERATORS, scope_of
from tenants.empty_states import EmptyState
from tenants.scoped_admin import ReadOnlyAdmin
from tenants.users import user_of

from . import notifying, search
from .desk import extensions
from .models import Conversation, ConversationMessage, Status
from .outbox.admin import PauseAdmin

__all__ = ["ConversationAdmin", "ConversationMessageAdmin", "PauseAdmin"]  # the last is imported to register it

SNIPPET_LENGTH = 80


@admin.register(Conversation)
class ConversationAdmin(AttachmentViews, DeskViews):
    may_add = NOBODY  # a conversation begins with a customer's message
    may_change = OPERATORS
    nothing_yet = "Conversations appear here when customers message your number. Send it a message to try it out."
    list_per_page = 30
    list_fullwidth = True
    list_filter_sheet = True
    list_filter = [
        "tenant",
        "handled_by",
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
        css = {"all": ["conversations/desk.css", "conversations/inbox.css"]}
        js = ["conversations/desk.js", "notifications/notify.js", "conversations/inbox.js"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return InboxList

    def get_search_results(
        self, request: HttpRequest, queryset: "QuerySet[Conversation]", search_term: str
    ) -> tuple["QuerySet[Conversation]", bool]:
        if not search_term.strip():
            return queryset, False
        scope = scope_of(user_of(request))
        return search.find(queryset, search_term, None if scope.everyone else scope.tenants), False

    def empty_state(self, request: HttpRequest) -> EmptyState:
        return extensions.first_step_for(request) or super().empty_state(request)

    def save_model(self, request: HttpRequest, obj: Conversation, form: Any, change: bool) -> None:
        obj.updated_at = timezone.now()  # open desks and clients of the API notice it
        super().save_model(request, obj, form, change)

    def delete_model(self, request: HttpRequest, obj: Model) -> None:
        pk = obj.pk
        super().delete_model(request, obj)
        notifying.forget([pk])

    def delete_queryset(self, request: HttpRequest, queryset: "QuerySet[Any]") -> None:
        ids = list(queryset.values_list("pk", flat=True))
        super().delete_queryset(request, queryset)
        notifying.forget(ids)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if request.method == "POST":  # an action of Django's
            return super().changelist_view(request, extra_context)
        return self.inbox_page(request, None)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The inbox with this conversation open; with `?details`, Django's form for its fields."""
        conversation = self.get_object(request, unquote(object_id))
        if conversation is None or request.method == "POST" or "details" in request.GET:
            return super().change_view(request, object_id, form_url, extra_context)
        return self.inbox_page(request, conversation)


class NotSentFilter(admin.SimpleListFilter):
    title, parameter_name = "delivery", "not_sent"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Not sent: failed or uncertain")]

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Any]") -> "QuerySet[Any]":
        return queryset.filter(status__in=[Status.FAILED, Status.UNCERTAIN]) if self.value() == "yes" else queryset


@admin.register(ConversationMessage)
class ConversationMessageAdmin(ReadOnlyAdmin):
    tenant_path = "conversation__tenant"
    list_display = ["created_at", "conversation", "sender", "kind", "snippet", "status"]
    list_display_links = ["created_at"]
    list_filter = [
        "conversation__tenant",
        "role",
        "status",
        NotSentFilter,
        "kind",
        "origin",
        ("created_at", admin.DateFieldListFilter),
    ]
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

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> HttpResponse:
        if message := self.get_object(request, unquote(object_id)):
            record_reading(message.conversation.tenant_id, message.conversation)
        return super().change_view(request, object_id, *args, **kwargs)

    @admin.display(description="from", ordering="origin")
    def sender(self, message: ConversationMessage) -> str:
        return message.get_origin_display() or message.get_role_display()

    @admin.display(description="text")
    def snippet(self, message: ConversationMessage) -> str:
        return message.text if len(message.text) <= SNIPPET_LENGTH else f"{message.text[:SNIPPET_LENGTH]}…"
