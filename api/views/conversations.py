"""Conversations: list, retrieve, update, take over, hand back."""

from django.db.models import Q, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.base import ApiView
from api.pagination import ChangeCursorPagination, OrderedQuery
from api.serializers.rows import ConversationSerializer
from audit import watching
from audit.recording import record_reading
from conversations import handover, search
from conversations.models import ClockTimestamp, Conversation


class ConversationsQuery(OrderedQuery):
    lookups = {
        "handled_by": "handled_by",
        "active": "is_active",
        "phone_number_id": "phone_number_id",
        "updated_since": "updated_at__gte",
    }
    handled_by = serializers.ChoiceField(Conversation.Handler.choices, required=False)
    needs_person = serializers.BooleanField(required=False)
    active = serializers.BooleanField(required=False)
    phone_number_id = serializers.CharField(required=False, max_length=255)
    updated_since = serializers.DateTimeField(required=False)
    search = serializers.CharField(
        required=False, max_length=200, help_text="A contact's name or phone number, or words from a message."
    )

    def found(self, rows: "QuerySet[Conversation]", tenant_id: int) -> "QuerySet[Conversation]":
        query, rows = self.validated_data, self.filtered(rows)
        if "needs_person" in query:
            rows = rows.filter(~Q(needs_person="") if query["needs_person"] else Q(needs_person=""))
        return search.find(rows, query["search"], [tenant_id]) if "search" in query else rows


class ConversationsView(ApiView[Conversation]):
    queryset = Conversation.objects.select_related("operator")
    serializer_class = ConversationSerializer
    pagination_class = ChangeCursorPagination

    @extend_schema(
        operation_id="conversations_list", parameters=[ConversationsQuery], responses=ConversationSerializer(many=True)
    )
    def get(self, request: Request) -> Response:
        """List conversations.

        Sorted by their last change, newest first unless `order` says otherwise.
        """
        query = self.validated_query(ConversationsQuery)
        return self.paginated(query.found(self.get_queryset(), self.key.tenant_id))


class OneConversationView(ApiView[Conversation]):
    queryset = Conversation.objects.select_related("operator")
    serializer_class = ConversationSerializer

    def current(self) -> Response:
        return Response(ConversationSerializer(self.get_object()).data)


class ConversationView(OneConversationView):
    def get(self, request: Request, pk: int) -> Response:
        """Retrieve a conversation."""
        found = self.get_object()
        record_reading(found.tenant_id, found)
        return Response(ConversationSerializer(found).data)

    def patch(self, request: Request, pk: int) -> Response:
        """Update a conversation.

        You can change `contact_name`, `is_active` and `needs_person`. While a conversation isn't active, the assistant
        doesn't reply. A reason in `needs_person` flags the conversation for your team; an empty string clears the flag.
        """
        changes = ConversationSerializer(self.get_object(), data=request.data, partial=True)
        changes.is_valid(raise_exception=True)
        columns = dict(changes.validated_data)
        reason = columns.pop("needs_person", None)
        if columns:
            watching.update(self.get_queryset().filter(pk=pk), **columns, updated_at=ClockTimestamp())
        if reason:
            handover.mark_needs_person([pk], reason)
        elif reason == "":
            handover.clear_needs_person([pk])
        return self.current()


class TakeOverView(OneConversationView):
    @extend_schema(request=None)
    def post(self, request: Request, pk: int) -> Response:
        """Take over a conversation.

        Works even if another member of your team has taken it over. Pauses the assistant and cancels its queued
        replies.
        """
        handover.take_over(self.get_object().pk, self.key.created_by)
        return self.current()


class HandBackView(OneConversationView):
    @extend_schema(request=None)
    def post(self, request: Request, pk: int) -> Response:
        """Hand a conversation back to the assistant.

        The assistant replies to the customer's next message.
        """
        handover.hand_back(self.get_object().pk)
        return self.current()
