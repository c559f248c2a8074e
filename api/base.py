"""The base of every address for programs: one key, one business, one limit."""

from typing import Any, ClassVar, TypeVar, cast

from django.db.models import Model, QuerySet
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from api.models import ApiKey

from . import rate_limit
from .authentication import HasWriteScope, KeyAuthentication

Row = TypeVar("Row", bound=Model)
Query = TypeVar("Query", bound=Serializer[Any])


class ApiView(GenericAPIView[Any]):
    """What a program sees are the rows of its key's tenant; all others do not exist."""

    authentication_classes = [KeyAuthentication]
    permission_classes = [HasWriteScope]
    tenant_path: ClassVar[str] = "tenant"
    allowance: rate_limit.Allowance | None = None

    @property
    def key(self) -> ApiKey:
        return cast(ApiKey, self.request.auth)

    def of_tenant(self, rows: "QuerySet[Row]", path: str = "tenant") -> "QuerySet[Row]":
        """The one place that keeps businesses apart here."""
        return rows.filter(**{path: self.key.tenant_id})

    def get_queryset(self) -> "QuerySet[Any]":
        rows = super().get_queryset()
        if getattr(self, "swagger_fake_view", False):  # the schema is drawn without a key
            return rows.none()
        return self.of_tenant(rows, self.tenant_path)

    def asked(self, query: type[Query]) -> Query:
        """The query of the address, checked. Raises ValidationError (400)."""
        asked = query(data=self.request.query_params.dict())
        asked.is_valid(raise_exception=True)
        return asked

    def page_of(self, rows: "QuerySet[Any]") -> Response:
        page = self.paginate_queryset(rows)
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def perform_authentication(self, request: Request) -> None:
        super().perform_authentication(request)
        if isinstance(request.auth, ApiKey):
            self.allowance = rate_limit.count(request.auth)
            self.allowance.enforce()

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        response = super().finalize_response(request, response, *args, **kwargs)
        if self.allowance:
            for name, value in self.allowance.headers.items():
                response[name] = value
        return response
