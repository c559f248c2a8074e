"""Leads for programs: read them, move them along, note what was learned."""

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.base import ApiView
from api.pagination import IdCursorPagination, PageQuery
from api.serializers.rows import LeadSerializer
from leads.models import Lead


class LeadsQuery(PageQuery):
    stage = serializers.ChoiceField(Lead.Stage.choices, required=False)
    created_since = serializers.DateTimeField(required=False)

    def matching(self, rows: "QuerySet[Lead]") -> "QuerySet[Lead]":
        asked = self.validated_data
        names = {"stage": "stage", "created_since": "created_at__gte"}
        return rows.filter(**{column: asked[name] for name, column in names.items() if name in asked})


class LeadList(ApiView):
    queryset = Lead.objects.all()
    serializer_class = LeadSerializer
    pagination_class = IdCursorPagination

    @extend_schema(operation_id="leads_list", parameters=[LeadsQuery], responses=LeadSerializer(many=True))
    def get(self, request: Request) -> Response:
        """Leads, the newest first."""
        return self.page_of(self.asked(LeadsQuery).matching(self.get_queryset()))


class LeadDetail(ApiView):
    queryset = Lead.objects.all()
    serializer_class = LeadSerializer

    def get(self, request: Request, pk: int) -> Response:
        """One lead."""
        return Response(LeadSerializer(self.get_object()).data)

    def patch(self, request: Request, pk: int) -> Response:
        """Change `stage`, `notes` or `fields`."""
        changes = LeadSerializer(self.get_object(), data=request.data, partial=True)
        changes.is_valid(raise_exception=True)
        self.get_queryset().filter(pk=pk).update(**changes.validated_data)
        return self.get(request, pk)
