"""`MAINTENANCE_MESSAGE` instead of all pages and the API. The webhook has other middleware, and goes on."""

from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render

GO_ON = ("/healthz", "/readyz", "/metrics", "/sandbox/")
RETRY_SECONDS = 60


class Maintenance:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        if not settings.MAINTENANCE_MESSAGE:
            raise MiddlewareNotUsed
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path.startswith(GO_ON):
            return self.get_response(request)
        response: HttpResponse
        if request.path.startswith("/api/"):
            response = JsonResponse({"detail": settings.MAINTENANCE_MESSAGE}, status=503)
        else:
            said = {"heading": "Under maintenance", "text": settings.MAINTENANCE_MESSAGE}
            response = render(request, "refused.html", said, status=503)
        response["Retry-After"] = str(RETRY_SECONDS)
        setattr(response, "_has_been_logged", True)  # noqa: B010 - Django would log each of them as an error
        return response
