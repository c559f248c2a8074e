"""A form of the desk sends its message once, even if it's submitted twice: by a double click, or because the response
got lost. Each form has a token, which is stored with the message and unique there."""

import re
import secrets

from django.http import HttpRequest

_TOKEN = re.compile("[0-9a-f]{32}")


def new() -> str:
    return secrets.token_hex(16)


def of(request: HttpRequest) -> str | None:
    """The token of the submitted form."""
    token = request.POST.get("form_token", "")
    return token if _TOKEN.fullmatch(token) else None
