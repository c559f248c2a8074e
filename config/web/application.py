"""The WSGI applications: all of Parley, and the webhook alone."""

import secrets
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIEnvironment

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import ResolverMatch, reverse, set_urlconf

from runtime.logs import context

from .limits import RESERVED
from .uploads import may_upload

# CommonMiddleware checks the host and sets the length of responses.
WEBHOOK_MIDDLEWARE = ["django.middleware.security.SecurityMiddleware", "django.middleware.common.CommonMiddleware"]
SANDBOX_MIDDLEWARE = ["sandbox.phone.overheard.Overhear"]


class Handler(WSGIHandler):
    """Django, with an ID for each request in the logs."""

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> HttpResponseBase:
        context.start(request_id=secrets.token_hex(8))
        return super().__call__(environ, start_response)


class WebhookHandler(Handler):
    """Django without the middleware that Meta's deliveries don't need: sessions, CSRF, static files, lockouts."""

    def load_middleware(self, is_async: bool = False) -> None:
        usual, settings.MIDDLEWARE = (
            settings.MIDDLEWARE,
            WEBHOOK_MIDDLEWARE + (SANDBOX_MIDDLEWARE if settings.SANDBOX else []),
        )
        try:
            super().load_middleware(is_async)
        finally:
            settings.MIDDLEWARE = usual
        reverse("admin:index")  # loads all URLs now, and not in the first transaction that needs one

    def get_response(self, request: HttpRequest) -> HttpResponseBase:
        request.urlconf = "config.web.webhook_urls"
        return super().get_response(request)

    def resolve_request(self, request: HttpRequest) -> ResolverMatch:
        found = super().resolve_request(request)
        set_urlconf(None)  # only this path is served, but what is stored may contain the URL of any page
        return found


class Parley:
    """Everything; the webhook with its own middleware."""

    may_upload = staticmethod(may_upload)

    def __init__(self, webhook: Handler) -> None:
        self.webhook, self.pages = webhook, Handler()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        handler = self.webhook if environ["PATH_INFO"] in RESERVED else self.pages
        return handler(environ, start_response)


webhook = WebhookHandler()
application = Parley(webhook)
