"""Unknown URLs under /api/."""

from typing import NoReturn

from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.views import APIView


@extend_schema(exclude=True)
class NotFoundView(APIView):
    """404 as JSON, whatever the method."""

    authentication_classes = []
    permission_classes = []

    def initial(self, request: Request, *args: object, **kwargs: object) -> NoReturn:
        raise NotFound(f"Unknown URL: {request.path}. See /api/docs for the available endpoints.")
