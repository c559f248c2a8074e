"""Exports in the API: request one, see how far it is, and download its parts."""

from typing import Any

from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView

from api.authentication import MayChangeSettings, OfOwner
from api.base import ApiView
from api.pagination import IdCursorPagination, PageQuery
from privacy import people
from privacy.models import Export, ExportPart

from . import requesting
from .downloading import part_response


class OwnersOnly(MayChangeSettings):
    message = "Only a key whose creator is an owner can export, and only a “Read and write” key can request an export."

    def has_permission(self, request: Request, view: APIView) -> bool:
        if request.method in SAFE_METHODS:
            return OfOwner().has_permission(request, view)
        return super().has_permission(request, view)


class PartSerializer(serializers.ModelSerializer[ExportPart]):
    url = serializers.SerializerMethodField()

    class Meta:
        model = ExportPart
        fields = ["id", "number", "size", "url"]
        read_only_fields = fields

    def get_url(self, part: ExportPart) -> str:
        url: str = reverse("api_export_part", args=[part.pk], request=self.context["request"])
        return url


class ExportSerializer(serializers.ModelSerializer[Export]):
    parts = PartSerializer(many=True, read_only=True)

    class Meta:
        model = Export
        fields = ["id", "conversations", "done", "total", "error", "parts", "requested_at", "finished_at", "expires_at"]
        read_only_fields = fields


class NewExportSerializer(serializers.Serializer[Any]):
    person = serializers.CharField(
        required=False,
        max_length=255,
        help_text="The phone number or WhatsApp user ID of the person whose data you want. Without it: everything.",
    )


class ExportsView(ApiView[Export]):
    queryset = Export.objects.prefetch_related("parts")
    serializer_class = ExportSerializer
    pagination_class = IdCursorPagination
    permission_classes = [OwnersOnly]

    @extend_schema(operation_id="exports_list", parameters=[PageQuery], responses=ExportSerializer(many=True))
    def get(self, request: Request) -> Response:
        """List exports.

        Newest first. Exports are deleted three days after they were finished.
        """
        return self.paginated(self.validated_query(PageQuery).filtered(self.get_queryset()))

    @extend_schema(operation_id="exports_create", request=NewExportSerializer, responses={201: ExportSerializer})
    def post(self, request: Request) -> Response:
        """Request an export.

        It's written in the background: retrieve it until `finished_at` is set, then download its parts. While the same
        export is already being written, that one is returned.
        """
        new = NewExportSerializer(data=request.data)
        new.is_valid(raise_exception=True)
        typed = new.validated_data.get("person", "")
        person = people.find(self.key.tenant, typed) if typed else None
        if typed and person is None:
            raise ValidationError({"person": ["There's no conversation with this person."]})
        export = requesting.request(self.key.tenant, person, self.key.created_by)
        return Response(self.get_serializer(self.get_queryset().get(pk=export.pk)).data, 201)


class ExportView(ApiView[Export]):
    queryset = Export.objects.prefetch_related("parts")
    serializer_class = ExportSerializer
    permission_classes = [OwnersOnly]

    @extend_schema(operation_id="exports_retrieve")
    def get(self, request: Request, pk: int) -> Response:
        """Retrieve an export.

        `done` of `total` rows and files have been written; `total` is null until they're counted. `conversations` are
        those of the person, or null if the export contains everything.
        """
        return Response(self.get_serializer(self.get_object()).data)


class ExportPartView(ApiView[ExportPart]):
    queryset = ExportPart.objects.select_related("export")
    tenant_path = "export__tenant"
    pagination_class = None
    permission_classes = [OwnersOnly]

    @extend_schema(operation_id="exports_download", responses={(200, "application/zip"): OpenApiTypes.BINARY})
    def get(self, request: Request, pk: int) -> HttpResponseBase:
        """Download a part of an export.

        A zip file. It supports `Range`, so a download that broke off can be continued.
        """
        try:
            return part_response(request, self.get_object())
        except FileNotFoundError:
            raise NotFound("The file is missing from storage.") from None
