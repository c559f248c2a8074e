"""Every URL of the installation."""

from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

from tenants.invitations import pages

urlpatterns: list[URLPattern | URLResolver] = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("invitation/<str:token>/", pages.open_link, name="invitation"),
    path("invitations/<int:pk>/", pages.answer, name="answer_invitation"),
    path("", include("config.web.webhook_urls")),
    path("api/", include("api.urls")),
]

if settings.SANDBOX:
    urlpatterns.append(path("sandbox/", include("sandbox.urls")))
