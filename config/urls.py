"""Every URL of the installation."""

from django.conf import settings
from django.contrib import admin
from django.http import Http404
from django.urls import URLPattern, URLResolver, include, path, re_path
from django.views.defaults import page_not_found
from django.views.generic import RedirectView

from tenants.invitations import pages

urlpatterns: list[URLPattern | URLResolver] = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    # Django's redirect to a row's public page: no row has one.
    re_path("^admin/r/", page_not_found, {"exception": Http404()}),
    path("admin/", admin.site.urls),
    path("invitation/<str:token>/", pages.open_link, name="invitation"),
    path("invitations/<int:pk>/", pages.answer, name="answer_invitation"),
    path("", include("config.web.webhook_urls")),
    path("api/", include("api.urls")),
]

if settings.SANDBOX:
    urlpatterns.append(path("sandbox/", include("sandbox.urls")))
