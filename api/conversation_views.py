"""Conversations for programs: read them, step in, write as a person, hand back."""

from django.db.models import Q, QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from conversations import desk, outbox, search
from conversations.desk_views import why_no_reply
from conversations.models import Conversation, ConversationMessage, lock

from . import idempotency
from .base import ProgramView
from .pages import ChangePages, OrderedQuery, TimePages
from .refusals import Conflict
from .serializers import ConversationSerializer, MessageSerializer, NewMessageSerializer, SentSerializer

IDEMPOTENCY_KEY = OpenApiParameter(
    idempotency.HEADER,
    {"type": "string", "pattern": f"^{idempotency.PATTERN}$"},
    OpenApiParameter.HEADER,
    description="The same key sends once a day and gets the same answer.",
)


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


class ConversationView(ProgramView):
    """What belongs to one conversation."""

    queryset = Conversation.objects.select_related("operator")
    serializer_class = ConversationSerializer

    def answer(self) -> Response:
        return Response(ConversationSerializer(self.get_object()).data)


class ConversationList(ProgramView):
    queryset = Conversation.objects.select_related("operator")
    serializer_class = ConversationSerializer
    pagination_class = ChangePages

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
        desk.take_over(self.get_object().pk, self.key.created_by)
        return self.answer()


class HandBack(ConversationView):
    @extend_schema(request=None)
    def post(self, request: Request, pk: int) -> Response:
        """Hand it back: the assistant answers what the customer writes next."""
        desk.hand_back(self.get_object().pk, self.key.created_by)
        return self.answer()


class Messages(ProgramView):
    queryset = ConversationMessage.objects.select_related("author").defer("raw_json")
    serializer_class = MessageSerializer
    tenant_path = "conversation__tenant"
    pagination_class = TimePages

    @extend_schema(operation_id="messages_list", parameters=[OrderedQuery], responses=MessageSerializer(many=True))
    def get(self, request: Request, pk: int) -> Response:
        """The messages of a conversation, the newest first."""
        self.asked(OrderedQuery)
        return self.page_of(self.get_queryset().filter(conversation=self._conversation(pk)))

    @extend_schema(request=NewMessageSerializer, responses={201: SentSerializer}, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request, pk: int) -> Response:
        """Send a text as the person who made the key, who has the conversation from then on."""
        conversation = self._conversation(pk)
        new = NewMessageSerializer(data=request.data)
        new.is_valid(raise_exception=True)
        text = new.validated_data["text"]
        return idempotency.once(request, self.key.tenant_id, lambda: self._send(conversation.pk, text))

    def _conversation(self, pk: int) -> Conversation:
        return get_object_or_404(self.of_tenant(Conversation.objects.all()), pk=pk)

    def _send(self, pk: int, text: str) -> Response:
        lock(pk=pk)
        conversation = Conversation.objects.select_related("operator").get(pk=pk)
        person = self.key.created_by
        if refusal := why_no_reply(conversation, person, text):
            raise Conflict(refusal)
        if conversation.handled_by == Conversation.Handler.ASSISTANT:
            desk.take_over(pk, person)
        ids = [message.pk for message in outbox.send(conversation, text, author=person)]
        sent = self.get_queryset().filter(pk__in=ids).order_by("id")
        return Response(SentSerializer({"messages": sent}).data, status=201)
