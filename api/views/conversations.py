"""Conversations for programs: read them, take over, hand back."""

from django.db.models import Q, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.base import ApiView
from api.pagination import ChangeCursorPagination, OrderedQuery
from api.serializers.rows import ConversationSerializer
from conversations import handover, search
from conversations.models import Conversation


class ConversationsQuery(OrderedQuery):
    handled_by = serializers.ChoiceField(Conversation.Handler.choices, required=False)
    needs_person = serializers.BooleanField(required=False)
    active = serializers.BooleanField(required=False)
    phone_number_id = serializers.CharField(required=False, max_length=255)
    updated_since = serializers.DateTimeField(required=False)
    search = serializers.CharField(required=False, max_length=200, help_text="A name, a number, a word written.")

    def matching(self, rows: "QuerySet[Conversation]") -> "QuerySet[Conversation]":
        asked = self.validated_data
        names = {
            "handled_by": "handled_by",
            "active": "is_active",
            "phone_number_id": "phone_number_id",
            "updated_since": "updated_at__gte",
        }
        rows = rows.filter(**{column: asked[name] for name, column in names.items() if name in asked})
        if "needs_person" in asked:
            rows = rows.filter(~Q(needs_person="") if asked["needs_person"] else Q(needs_person=""))
        return search.find(rows, asked["search"]) if "search" in asked else rows


class ConversationView(ApiView):
    """What belongs to one conversation."""

    queryset = Conversation.objects.select_related("operator")
    serializer_class = ConversationSerializer

    def answer(self) -> Response:
        return Response(ConversationSerializer(self.get_object()).data)


class ConversationList(ApiView):
    queryset = Conversation.objects.select_related("operator")
    serializer_class = ConversationSerializer
    pagination_class = ChangeCursorPagination

    @extend_schema(
        operation_id="conversations_list", parameters=[ConversationsQuery], responses=ConversationSerializer(many=True)
    )
    def get(self, request: Request) -> Response:
        """Conversations, the one that changed last first."""
        asked = self.asked(ConversationsQuery)
        return self.page_of(asked.matching(self.get_queryset()))


class ConversationDetail(ConversationView):
    def get(self, request: Request, pk: int) -> Response:
        """One conversation."""
        return self.answer()


class TakeOver(ConversationView):
    @extend_schema(request=None)
    def post(self, request: Request, pk: int) -> Response:
        """Take it over, also from another person: the assistant is silent, what it had queued is not sent."""
        handover.take_over(self.get_object().pk, self.key.created_by)
        return self.answer()


class HandBack(ConversationView):
    @extend_schema(request=None)
    def post(self, request: Request, pk: int) -> Response:
        """Hand it back: the assistant answers what the customer writes next."""
        handover.hand_back(self.get_object().pk)
        return self.answer()
