"""The messages of a conversation: list and send them, and list the templates that can be sent."""

from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from api.base import ApiView
from api.exceptions import Conflict
from api.idempotency import IDEMPOTENCY_KEY, IdempotentRequest
from api.pagination import OrderedQuery, TimeCursorPagination
from api.serializers.contents import NewFileSerializer, NewMessageSerializer, TemplatesSerializer, templates_of
from api.serializers.rows import MessageSerializer, SentMessagesSerializer
from audit.recording import record_reading
from conversations.desk.attachment_views import respond
from conversations.files import removal, uploads
from conversations.files.attachments import Attachment
from conversations.history.details import with_details
from conversations.models import Conversation, ConversationMessage
from conversations.outbox.contents import Content
from conversations.replies import ReplyRefused, reply


class ConversationMessagesView(ApiView[ConversationMessage]):
    queryset = ConversationMessage.objects.select_related("author")
    serializer_class = MessageSerializer
    tenant_path = "conversation__tenant"
    pagination_class = TimeCursorPagination

    def conversation(self, pk: int) -> Conversation:
        return get_object_or_404(self.visible(Conversation.objects.all()), pk=pk)

    def send(self, pk: int, content: str | Content, reply_to: str) -> Response:
        """Queue a message from the user who created the key. Raises Conflict."""
        if reply_to and not ConversationMessage.objects.filter(conversation=pk, external_id=reply_to).exists():
            raise ValidationError({"reply_to": ["This conversation has no message with this external_id."]})
        try:
            queued = reply(pk, self.key.created_by, content, reply_to)
        except ReplyRefused as refusal:
            raise Conflict(str(refusal)) from refusal
        sent = with_details(self.get_queryset().filter(pk__in=[message.pk for message in queued]).order_by("id"))
        return Response(SentMessagesSerializer({"messages": sent}).data, status=201)


class MessagesView(ConversationMessagesView):
    @extend_schema(operation_id="messages_list", parameters=[OrderedQuery], responses=MessageSerializer(many=True))
    def get(self, request: Request, pk: int) -> Response:
        """List the messages of a conversation.

        Newest first unless `order` says otherwise.
        """
        self.validated_query(OrderedQuery)
        conversation = self.conversation(pk)
        record_reading(conversation.tenant_id, conversation)
        page = self.paginate_queryset(self.get_queryset().filter(conversation=conversation).defer("raw_json"))
        ids = [message.pk for message in page or ()]
        found = {message.pk: message for message in with_details(self.get_queryset().filter(pk__in=ids))}
        return self.get_paginated_response(MessageSerializer([found[pk] for pk in ids], many=True).data)

    @extend_schema(
        operation_id="messages_send",
        request=NewMessageSerializer,
        responses={201: SentMessagesSerializer},
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request, pk: int) -> Response:
        """Send a message.

        It's sent in the name of the user who created the API key. If the assistant is handling the conversation, that
        user takes it over.
        """
        conversation = self.conversation(pk)
        new = NewMessageSerializer(data=request.data)
        new.is_valid(raise_exception=True)
        idempotent = IdempotentRequest(request, self.key.tenant_id, request.data)
        if stored := idempotent.stored_response():
            return stored  # without asking Meta for the template again
        content = new.content(conversation)
        return idempotent.run(lambda: self.send(pk, content, new.validated_data.get("reply_to", "")))


class FilesView(ConversationMessagesView):
    parser_classes = [MultiPartParser]

    @extend_schema(
        operation_id="files_send",
        request={"multipart/form-data": NewFileSerializer},
        responses={201: SentMessagesSerializer},
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request, pk: int) -> Response:
        """Send a file.

        Upload the file as a form. It's sent in the name of the user who created the API key. If the assistant is
        handling the conversation, that user takes it over.
        """
        self.conversation(pk)
        new = NewFileSerializer(data=request.data)
        new.is_valid(raise_exception=True)
        form = new.validated_data
        file, reply_to = form["file"], form.get("reply_to", "")
        try:
            upload = uploads.keep(file, form.get("caption", ""), file.content_type or "", form.get("kind", ""))
        except ValueError as error:
            raise ValidationError({"file": [str(error)]}) from error
        payload = [upload.sha256, upload.filename, upload.caption, upload.kind, reply_to]
        try:
            idempotent = IdempotentRequest(request, self.key.tenant_id, payload)
            return idempotent.run(lambda: self.send(pk, upload, reply_to))
        finally:
            removal.remove_if_unowned(upload.storage_name)


class FileView(ApiView[Attachment]):
    queryset = Attachment.objects.select_related("message__conversation")
    tenant_path = "message__conversation__tenant"
    pagination_class = None

    @extend_schema(operation_id="files_retrieve", responses={(200, "*/*"): OpenApiTypes.BINARY})
    def get(self, request: Request, pk: int) -> HttpResponseBase:
        """Download a file.

        It's one of the `attachments` of a message. While it's still being fetched from WhatsApp, the status is 409. Its
        content type is `application/octet-stream` unless browsers can show it safely.
        """
        file = self.get_object()
        if file.state == Attachment.State.PENDING:
            raise Conflict("The file hasn't been fetched from WhatsApp yet. Try again in a few seconds.", wait=5)
        record_reading(self.key.tenant_id, file.message.conversation)
        try:
            return respond(request, file, file.file.name or "" if file.is_stored else "")
        except FileNotFoundError:
            raise NotFound(f"The file isn't available. {file.error}".strip()) from None


class TemplatesView(ConversationMessagesView):
    @extend_schema(operation_id="templates_list", responses=TemplatesSerializer)
    def get(self, request: Request, pk: int) -> Response:
        """List message templates.

        The approved templates that you can send in this conversation, fetched from Meta.
        """
        return Response(TemplatesSerializer({"templates": templates_of(self.conversation(pk))}).data)
