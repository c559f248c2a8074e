"""The admin API of the businesses."""

from typing import cast

from django.contrib.auth.models import User
from django.db.models import Model
from rest_framework import serializers
from rest_framework.serializers import BaseSerializer

from api.openapi import summaries
from api.staff.base import StaffViewSet
from tenants import deletion
from tenants.access import NOBODY
from tenants.models import Tenant
from tenants.suspension import state


class TenantSerializer(serializers.ModelSerializer[Tenant]):
    class Meta:
        model: type[Model] = Tenant
        fields = ["id", "name", "slug", "is_active", "created_at"]


@summaries("a business", "businesses")
class TenantViewSet(StaffViewSet[Tenant]):
    tenant_path = "pk"
    may_add = may_change = may_delete = NOBODY
    queryset = Tenant.objects.filter(deletion_requested_at=None)
    serializer_class = TenantSerializer

    def perform_update(self, serializer: BaseSerializer[Tenant]) -> None:
        """A business is suspended and resumed with everything that belongs to it."""
        changes = cast("dict[str, bool]", serializer.validated_data)
        is_active = changes.pop("is_active", None)
        super().perform_update(serializer)
        tenant = cast(Tenant, serializer.instance)
        if is_active is not None:
            _ = state.resume(tenant) if is_active else state.suspend(tenant, cast(User, self.request.user))
            tenant.refresh_from_db()

    def perform_destroy(self, instance: Tenant) -> None:
        deletion.request([instance.pk])
