"""What the assistant knows: list, create, change, delete and read sources, and upload files."""

from typing import Any

from django.core.files.base import File
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from api.base import ApiView
from api.idempotency import IDEMPOTENCY_KEY, IdempotentRequest
from api.pagination import IdCursorPagination, PageQuery
from api.serializers.knowledge import (
    ChunkSerializer,
    ListedSourceSerializer,
    NewFileSourceSerializer,
    SourceSerializer,
)
from conversations.files.uploads import digest_of
from knowledge import sources
from knowledge.indexing import TooMuch
from knowledge.models import Chunk, Source


class SourcesQuery(PageQuery):
    lookups = {"kind": "kind", "state": "state", "enabled": "enabled", "sitemap": "parent", "title": "title"}
    kind = serializers.ChoiceField(Source.Kind.choices, required=False)
    state = serializers.ChoiceField(Source.State.choices, required=False)
    enabled = serializers.BooleanField(required=False)
    sitemap = serializers.IntegerField(
        required=False, min_value=1, max_value=2**63 - 1, help_text="The ID of a sitemap, for its pages only."
    )
    title = serializers.CharField(required=False, max_length=500, help_text="Exactly this title.")


class SourceViews(ApiView[Source]):
    queryset = Source.objects.all()
    serializer_class = SourceSerializer
    pagination_class = IdCursorPagination

    def saved(self, serializer: SourceSerializer) -> Source:
        source = serializer.applied(self.key.tenant_id)
        try:
            sources.save(source)
        except TooMuch as error:
            raise ValidationError({"text": [str(error)]}) from error
        return self.get_queryset().get(pk=source.pk)


class SourcesView(SourceViews):
    def get_serializer_class(self) -> Any:
        return ListedSourceSerializer if self.request.method == "GET" else SourceSerializer

    @extend_schema(
        operation_id="knowledge_list", parameters=[SourcesQuery], responses=ListedSourceSerializer(many=True)
    )
    def get(self, request: Request) -> Response:
        """List knowledge sources.

        Newest first, without their texts.
        """
        rows: QuerySet[Source] = self.validated_query(SourcesQuery).filtered(self.get_queryset())
        return self.paginated(rows.defer("text", "changes"))

    @extend_schema(
        operation_id="knowledge_create",
        request=SourceSerializer,
        responses={201: SourceSerializer},
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request) -> Response:
        """Create a knowledge source.

        A question with its answer, a text, a web page or a sitemap. Questions and texts are known immediately. The
        others are read in the background: `state` says how far that is.
        """
        new = SourceSerializer(data=request.data)
        new.is_valid(raise_exception=True)
        idempotent = IdempotentRequest(request, self.key.tenant_id, request.data)
        return idempotent.run(lambda: Response(SourceSerializer(self.saved(new)).data, status=201))


class SourceView(SourceViews):
    def get(self, request: Request, pk: int) -> Response:
        """Retrieve a knowledge source."""
        return Response(SourceSerializer(self.get_object()).data)

    def patch(self, request: Request, pk: int) -> Response:
        """Update a knowledge source.

        What you leave out stays as it is. The assistant knows a changed question or text immediately.
        """
        changes = SourceSerializer(self.get_object(), data=request.data, partial=True)
        changes.is_valid(raise_exception=True)
        return Response(SourceSerializer(self.saved(changes)).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, pk: int) -> Response:
        """Delete a knowledge source.

        With its file and, for a sitemap, its pages.
        """
        self.get_object().delete()
        return Response(status=204)


class KnowledgeFilesView(SourceViews):
    parser_classes = [MultiPartParser]

    @extend_schema(
        operation_id="knowledge_upload",
        request={"multipart/form-data": NewFileSourceSerializer},
        responses={201: SourceSerializer},
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request) -> Response:
        """Upload a file as a knowledge source.

        Send it as a form. It's read in the background: `state` says how far that is.
        """
        new = NewFileSourceSerializer(data=request.data)
        new.is_valid(raise_exception=True)
        form = new.validated_data
        settings = {name: form[name] for name in ("title", "public_url") if name in form}
        payload = [digest_of(form["file"]), form["file"].name, settings]
        idempotent = IdempotentRequest(request, self.key.tenant_id, payload)
        with sources.announced([form["file"]]) as (name,):
            return idempotent.run(lambda: self._added(form["file"], name, settings))

    def _added(self, file: "File[bytes]", name: str, settings: dict[str, str]) -> Response:
        source = Source(tenant_id=self.key.tenant_id, **settings)
        try:
            sources.add_file(source, file, name)
        except ValueError as error:
            raise ValidationError({"file": [str(error)]}) from error
        return Response(SourceSerializer(self.get_queryset().get(pk=source.pk)).data, status=201)


class ReadAgainView(SourceViews):
    @extend_schema(operation_id="knowledge_read_again", request=None)
    def post(self, request: Request, pk: int) -> Response:
        """Read a knowledge source again.

        In the background. For a sitemap, all pages are read again. Questions and texts don't need this.
        """
        sources.read_again(Source.objects.filter(pk=self.get_object().pk))
        return Response(SourceSerializer(self.get_object()).data)


class ChunkPagination(IdCursorPagination):
    ordering = "position"


class ChunksView(ApiView[Chunk]):
    queryset = Chunk.objects.defer("words")
    serializer_class = ChunkSerializer
    pagination_class = ChunkPagination

    @extend_schema(operation_id="knowledge_chunks", parameters=[PageQuery], responses=ChunkSerializer(many=True))
    def get(self, request: Request, pk: int) -> Response:
        """List the chunks of a knowledge source.

        The parts in which the assistant sees it, in order.
        """
        self.validated_query(PageQuery)
        source = get_object_or_404(self.visible(Source.objects.all()), pk=pk)
        return self.paginated(self.get_queryset().filter(source=source))
