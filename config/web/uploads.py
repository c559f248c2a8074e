"""Who may upload: signed-in members of a business, and clients with an API key."""

from importlib import import_module
from wsgiref.types import WSGIEnvironment

from django.conf import settings
from django.contrib.auth import get_user
from django.core.handlers.wsgi import WSGIRequest
from django.db import close_old_connections
from rest_framework.exceptions import APIException
from rest_framework.request import Request

from api.authentication import ApiKeyAuthentication
from tenants.access import ANYONE, has_role_anywhere


def may_upload(environ: WSGIEnvironment) -> bool:
    """Only looks at the headers: the server asks before it reads the body. The view decides again, in detail."""
    close_old_connections()
    request = WSGIRequest(environ)
    if "Authorization" in request.headers:
        try:
            ApiKeyAuthentication().authenticate(Request(request))
        except APIException:
            return False
        return True
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(
        request.COOKIES.get(settings.SESSION_COOKIE_NAME)
    )
    return has_role_anywhere(get_user(request), ANYONE)
