"""The messages of a conversation for programs: read them, send whatever WhatsApp takes."""

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from api import idempotency
from api.base import ApiView
from api.exceptions import Conflict
from api.pagination import OrderedQuery, TimeCursorPagination
from api.parsers import FormParser
from api.serializers.contents import NewFileSerializer, NewMessageSerializer, TemplatesSerializer, templates_of
from api.serializers.rows import MessageSerializer, SentSerializer
from conversations.files import uploads
from conversations.models import Conversation, ConversationMessage
from conversations.outbox.contents import Content
from conversations.replies import ReplyRefused, reply

IDEMPOTENCY_KEY = OpenApiParameter(
    idempotency.HEADER,
    {"type": "string", "pattern": f"^{idempotency.PATTERN}$"},
    OpenApiParameter.HEADER,
    description="The same key sends once a day and gets the same answer.",
)


class MessagesView(ApiView):
    queryset = ConversationMessage.objects.select_related("author").defer("raw_json")
    serializer_class = MessageSerializer
    tenant_path = "conversation__tenant"
    pagination_class = TimeCursorPagination

    def conversation(self, pk: int) -> Conversation:
        return get_object_or_404(self.of_tenant(Conversation.objects.all()), pk=pk)

    def send(self, pk: int, content: str | Content, reply_to: str) -> Response:
        """Queue it as the person who created the key. Raises Conflict."""
        if reply_to and not ConversationMessage.objects.filter(conversation=pk, external_id=reply_to).exists():
            raise ValidationError({"reply_to": ["No message in this conversation has this external_id."]})
        try:
            queued = reply(pk, self.key.created_by, content, reply_to)
        except ReplyRefused as refusal:
            raise Conflict(str(refusal)) from refusal
        sent = self.get_queryset().filter(pk__in=[message.pk for message in queued]).order_by("id")
        return Response(SentSerializer({"messages": sent}).data, status=201)


class Messages(MessagesView):
    @extend_schema(operation_id="messages_list", parameters=[OrderedQuery], responses=MessageSerializer(many=True))
    def get(self, request: Request, pk: int) -> Response:
        """The messages of a conversation, the newest first."""
        self.asked(OrderedQuery)
        return self.page_of(self.get_queryset().filter(conversation=self.conversation(pk)))

    @extend_schema(request=NewMessageSerializer, responses={201: SentSerializer}, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request, pk: int) -> Response:
        """Send a message as the person who made the key, who has the conversation from then on."""
        conversation = self.conversation(pk)
        new = NewMessageSerializer(data=request.data)
        new.is_valid(raise_exception=True)
        once = idempotency.Once(request, self.key.tenant_id, request.data)
        if known := once.known():
            return known  # what was sent is not looked up at Meta again
        content = new.content(conversation)
        return once.act(lambda: self.send(pk, content, new.validated_data.get("reply_to", "")))


class Files(MessagesView):
    parser_classes = [FormParser]

    @extend_schema(
        operation_id="files_send",
        request={"multipart/form-data": NewFileSerializer},
        responses={201: SentSerializer},
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request, pk: int) -> Response:
        """Send a file, as a form; otherwise as any message."""
        self.conversation(pk)
        new = NewFileSerializer(data=request.data)
        new.is_valid(raise_exception=True)
        given: dict[str, Any] = new.validated_data
        file, reply_to = given["file"], given.get("reply_to", "")
        try:
            upload = uploads.keep(file, given.get("caption", ""), file.content_type or "", given.get("kind", ""))
        except ValueError as error:
            raise ValidationError({"file": [str(error)]}) from error
        wanted = [upload.sha256, upload.filename, upload.caption, upload.kind, reply_to]
        try:
            once = idempotency.Once(request, self.key.tenant_id, wanted)
            return once.act(lambda: self.send(pk, upload, reply_to))
        finally:
            uploads.drop_unused(upload)


class Templates(MessagesView):
    @extend_schema(operation_id="templates_list", responses=TemplatesSerializer)
    def get(self, request: Request, pk: int) -> Response:
        """The approved templates of the conversation's number that can be filled here, asked of Meta."""
        return Response(TemplatesSerializer({"templates": templates_of(self.conversation(pk))}).data)
