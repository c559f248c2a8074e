"""The admin API of the businesses."""

from django.db.models import Model
from rest_framework import serializers

from api.openapi import summaries
from api.staff.base import StaffViewSet
from tenants.access import NOBODY
from tenants.models import Tenant


class TenantSerializer(serializers.ModelSerializer[Tenant]):
    class Meta:
        model: type[Model] = Tenant
        fields = ["id", "name", "slug", "is_active", "created_at"]


@summaries("a business", "businesses")
class TenantViewSet(StaffViewSet[Tenant]):
    tenant_path = "pk"
    may_add = may_change = may_delete = NOBODY
    queryset = Tenant.objects.all()
    serializer_class = TenantSerializer
