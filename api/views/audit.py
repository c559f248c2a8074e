"""The audit log of the key's business."""

from typing import Any

from django.db.models import Model
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.authentication import OfOwner
from api.base import ApiView
from api.pagination import IdCursorPagination, PageQuery
from audit.choices import Action, ActorKind
from audit.models import AuditEntry
from audit.sentences import sentence


class AuditQuery(PageQuery):
    lookups = {
        "action": "action",
        "actor_kind": "actor_kind",
        "actor_id": "actor_id",
        "since": "at__gte",
        "until": "at__lt",
    }
    action = serializers.ChoiceField(Action.choices, required=False)
    actor_kind = serializers.ChoiceField(ActorKind.choices, required=False)
    actor_id = serializers.IntegerField(required=False, min_value=1, max_value=2**63 - 1)
    since = serializers.DateTimeField(required=False)
    until = serializers.DateTimeField(required=False)


class AuditChangeSerializer(serializers.Serializer[Any]):
    field = serializers.CharField()
    before = serializers.CharField(required=False, help_text="Left out for secrets and customers' data, like `after`.")
    after = serializers.CharField(required=False)


class AuditEntrySerializer(serializers.ModelSerializer[AuditEntry]):
    summary = serializers.SerializerMethodField(help_text="What happened, in words.")
    changes = AuditChangeSerializer(many=True)

    class Meta:
        model: type[Model] = AuditEntry
        fields = [
            "id",
            "at",
            "actor_kind",
            "actor_id",
            "actor",
            "address",
            "action",
            "summary",
            "object_type",
            "object_id",
            "object",
            "changes",
        ]

    def get_summary(self, entry: AuditEntry) -> str:
        return f"{entry.actor} {sentence(entry)}"


class AuditView(ApiView[AuditEntry]):
    permission_classes = [OfOwner]
    queryset = AuditEntry.objects.all()
    serializer_class = AuditEntrySerializer
    pagination_class = IdCursorPagination

    @extend_schema(operation_id="audit_list", parameters=[AuditQuery], responses=AuditEntrySerializer(many=True))
    def get(self, request: Request) -> Response:
        """List the audit log.

        Who did what in your business, newest first. Only for keys whose creator is an owner.
        """
        return self.paginated(self.validated_query(AuditQuery).filtered(self.get_queryset()))
