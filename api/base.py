"""The base classes of all API views. They decide which rows a request can see."""

from typing import ClassVar, TypeVar, cast

from django.db.models import Model, QuerySet
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from api.models import AdminToken, ApiKey
from audit.acting import become
from tenants.sign_in import client_ip

from . import rate_limit
from .authentication import ApiKeyAuthentication, HasWriteScope

Row = TypeVar("Row", bound=Model)
OtherRow = TypeVar("OtherRow", bound=Model)
Query = TypeVar("Query", bound=Serializer[None])


class TenantScopedView(GenericAPIView[Row]):
    """A view whose rows belong to tenants, reached from the row by `tenant_path`. Other rows are not found (404).

    Each API key and each admin token has a rate limit of its own.
    """

    tenant_path: ClassVar[str] = "tenant"
    allowance: rate_limit.Allowance | None = None

    def visible(self, rows: "QuerySet[OtherRow]", tenant_path: str) -> "QuerySet[OtherRow]":
        """The rows among these that this request can see."""
        raise NotImplementedError

    def get_queryset(self) -> "QuerySet[Row]":
        rows = super().get_queryset()
        # drf-spectacular generates the schema without a user or a key.
        return rows.none() if getattr(self, "swagger_fake_view", False) else self.visible(rows, self.tenant_path)

    def perform_authentication(self, request: Request) -> None:
        super().perform_authentication(request)
        if isinstance(request.auth, ApiKey | AdminToken):
            become(request.auth.actor(client_ip(request)))
            self.allowance = rate_limit.count(request.auth)
            self.allowance.enforce()

    def finalize_response(self, request: Request, response: Response, *args: object, **kwargs: object) -> Response:
        response = super().finalize_response(request, response, *args, **kwargs)
        for name, value in (self.allowance.headers if self.allowance else {}).items():
            response[name] = value
        return response


class ApiView(TenantScopedView[Row]):
    """A view for API keys: one business."""

    authentication_classes = [ApiKeyAuthentication]
    permission_classes = [HasWriteScope]

    @property
    def key(self) -> ApiKey:
        return cast(ApiKey, self.request.auth)

    def visible(self, rows: "QuerySet[OtherRow]", tenant_path: str = "tenant") -> "QuerySet[OtherRow]":
        return rows.filter(**{tenant_path: self.key.tenant_id})

    def validated_query(self, serializer: type[Query]) -> Query:
        """The query parameters. Raises ValidationError (400)."""
        query = serializer(data=self.request.query_params.dict())
        query.is_valid(raise_exception=True)
        return query

    def paginated(self, rows: "QuerySet[Row]") -> Response:
        page = self.paginate_queryset(rows)
        return self.get_paginated_response(self.get_serializer(page, many=True).data)
