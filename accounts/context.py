"""What unfold's templates need on allauth's pages."""

from django.contrib import admin
from django.http import HttpRequest

PAGES = "/account/"


def of_the_admin(request: HttpRequest) -> dict[str, object]:
    return admin.site.each_context(request) if request.path.startswith(PAGES) else {}
