"""The base of the admin API. Rows and roles are the same as in the admin."""

from typing import ClassVar

from django.db import transaction
from django.db.models import Model, QuerySet
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import ModelViewSet

from api.authentication import AdminTokenAuthentication
from api.base import OtherRow, Row, TenantScopedView
from tenants.access import ANYONE, OWNERS, Roles, for_user, has_role, has_role_anywhere, tenant_id_of
from tenants.models import Tenant


class StaffViewSet(TenantScopedView[Row], ModelViewSet[Row]):
    """Rows of the user's tenants, or of all tenants for superusers."""

    authentication_classes = [AdminTokenAuthentication]
    lookup_value_converter = "int"
    may_view: ClassVar[Roles] = ANYONE
    may_add: ClassVar[Roles] = OWNERS
    may_change: ClassVar[Roles] = OWNERS
    may_delete: ClassVar[Roles] = OWNERS

    def visible(self, rows: "QuerySet[OtherRow]", tenant_path: str) -> "QuerySet[OtherRow]":
        return for_user(rows, self.request.user, tenant_path, self.may_view)

    def check_permissions(self, request: Request) -> None:
        super().check_permissions(request)
        if not has_role_anywhere(request.user, self._roles):
            self.permission_denied(request)

    def check_object_permissions(self, request: Request, obj: Model) -> None:
        super().check_object_permissions(request, obj)
        if not has_role(request.user, self._roles, tenant_id_of(obj, self.tenant_path)):
            self.permission_denied(request)

    # Each in one transaction with its entry in the audit log.

    def perform_create(self, serializer: BaseSerializer[Row]) -> None:
        with transaction.atomic():
            serializer.save()

    def perform_update(self, serializer: BaseSerializer[Row]) -> None:
        with transaction.atomic():
            serializer.save()

    def perform_destroy(self, instance: Row) -> None:
        with transaction.atomic():
            instance.delete()

    @property
    def _roles(self) -> Roles:
        """The roles that the request's method is for."""
        writing = {"POST": self.may_add, "PUT": self.may_change, "PATCH": self.may_change, "DELETE": self.may_delete}
        return writing.get(self.request.method or "", self.may_view)


class OwnTenantField(serializers.PrimaryKeyRelatedField[Tenant]):
    """A tenant that the user owns. Any other doesn't exist."""

    def get_queryset(self) -> "QuerySet[Tenant]":
        return for_user(Tenant.objects.all(), self.context["request"].user, "pk", OWNERS)
