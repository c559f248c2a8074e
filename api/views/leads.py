"""Leads: list, retrieve, update."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.base import ApiView
from api.pagination import IdCursorPagination, PageQuery
from api.serializers.rows import LeadSerializer
from audit import watching
from leads.models import Lead


class LeadsQuery(PageQuery):
    lookups = {"stage": "stage", "created_since": "created_at__gte"}
    stage = serializers.ChoiceField(Lead.Stage.choices, required=False)
    created_since = serializers.DateTimeField(required=False)


class LeadsView(ApiView[Lead]):
    queryset = Lead.objects.all()
    serializer_class = LeadSerializer
    pagination_class = IdCursorPagination

    @extend_schema(operation_id="leads_list", parameters=[LeadsQuery], responses=LeadSerializer(many=True))
    def get(self, request: Request) -> Response:
        """List leads.

        Newest first.
        """
        return self.paginated(self.validated_query(LeadsQuery).filtered(self.get_queryset()))


class LeadView(ApiView[Lead]):
    queryset = Lead.objects.all()
    serializer_class = LeadSerializer

    def get(self, request: Request, pk: int) -> Response:
        """Retrieve a lead."""
        return Response(LeadSerializer(self.get_object()).data)

    def patch(self, request: Request, pk: int) -> Response:
        """Update a lead.

        You can change `name`, `phone`, `stage`, `notes` and `fields`.
        """
        lead = self.get_object()
        serializer = LeadSerializer(lead, data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        changes = serializer.validated_data
        if "fields" in changes:
            # What is entered here stays; what is sent back unchanged keeps its source.
            changes["field_sources"] = {
                name: lead.field_sources.get(name) if lead.fields.get(name) == value else None
                for name, value in changes["fields"].items()
            }
        watching.update(self.get_queryset().filter(pk=pk), **changes)
        return self.get(request, pk)
