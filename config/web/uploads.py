"""Who may upload: users who have signed in, and clients with an API key."""

from importlib import import_module
from wsgiref.types import WSGIEnvironment

from django.conf import settings
from django.contrib.auth import get_user
from django.core.handlers.wsgi import WSGIRequest
from django.db import close_old_connections
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from api.authentication import ApiKeyAuthentication


def may_upload(environ: WSGIEnvironment) -> bool:
    """Only looks at the headers: the server asks before it reads the body. The view decides again, in detail."""
    close_old_connections()
    request = WSGIRequest(environ)
    if "Authorization" in request.headers:
        try:
            ApiKeyAuthentication().authenticate(Request(request))
        except AuthenticationFailed:
            return False
        return True
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(
        request.COOKIES.get(settings.SESSION_COOKIE_NAME)
    )
    return get_user(request).is_active
