"""The OpenAPI schema."""

from functools import cache
from typing import Any

from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework.request import Request
from rest_framework.response import Response


@extend_schema(exclude=True)
class SchemaView(SpectacularAPIView):
    """Generated once per process: that takes longer than any other request."""

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return Response(_generated())


@cache
def _generated() -> Any:
    return SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
