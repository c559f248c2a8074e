"""The admin API: its base, scoped by tenant as the admin is, and the businesses themselves."""

from typing import Any, ClassVar, NoReturn

from django.db.models import Model, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.permissions import BasePermission, IsAdminUser
from rest_framework.request import Request
from rest_framework.views import APIView
from rest_framework.viewsets import ModelViewSet

from tenants import deletion
from tenants.access import ANYONE, NOBODY, OWNERS, Roles, for_user, has_role, has_role_anywhere, tenant_id_of
from tenants.models import Tenant


class HasRole(BasePermission):
    """The person's role in the row's tenant allows the method."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return has_role_anywhere(request.user, view.roles_for(request))

    def has_object_permission(self, request: Request, view: Any, obj: Any) -> bool:
        return has_role(request.user, view.roles_for(request), tenant_id_of(obj, view.tenant_path))


class TenantScopedViewSet(ModelViewSet[Any]):
    """Rows of the person's tenants; superusers see all. What a role may do is declared as in the admin."""

    permission_classes = [IsAdminUser, HasRole]
    tenant_path: ClassVar[str] = "tenant"
    may_view: ClassVar[Roles] = ANYONE
    may_add: ClassVar[Roles] = OWNERS
    may_change: ClassVar[Roles] = OWNERS
    may_delete: ClassVar[Roles] = OWNERS

    def roles_for(self, request: Request) -> Roles:
        writes = {"POST": self.may_add, "PUT": self.may_change, "PATCH": self.may_change}
        return {**writes, "DELETE": self.may_delete}.get(request.method or "", self.may_view)

    def get_queryset(self) -> "QuerySet[Any]":
        return for_user(super().get_queryset(), self.request.user, self.tenant_path, self.may_view)


class OwnedTenantField(serializers.PrimaryKeyRelatedField[Tenant]):
    """A tenant that the person may write to; any other does not exist."""

    def get_queryset(self) -> "QuerySet[Tenant]":
        return for_user(Tenant.objects.all(), self.context["request"].user, "pk", OWNERS)


class IsSet(serializers.BooleanField):
    """Whether a secret is stored, in place of the secret."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "read_only": True})

    def to_representation(self, value: Any) -> bool:
        return bool(value)


class TenantSerializer(serializers.ModelSerializer[Tenant]):
    class Meta:
        model: type[Model] = Tenant
        fields = ["id", "name", "slug", "is_active", "created_at"]


class TenantViewSet(TenantScopedViewSet):
    """The businesses of this installation."""

    tenant_path = "pk"
    may_add = may_change = may_delete = NOBODY
    queryset = Tenant.objects.filter(deletion_requested_at=None).order_by("pk")
    serializer_class = TenantSerializer

    def perform_destroy(self, instance: Tenant) -> None:
        deletion.request([instance.pk])


@extend_schema(exclude=True)
class NotFoundView(APIView):
    """Whatever else is under /api/: not found, in JSON."""

    authentication_classes = []
    permission_classes = []

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> NoReturn:
        raise NotFound(f"There is nothing at {request.path}. /api/docs lists what there is.")
