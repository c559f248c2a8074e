"""Every URL of the installation."""

from django.conf import settings
from django.contrib import admin
from django.http import Http404
from django.urls import URLPattern, URLResolver, include, path, re_path
from django.views.defaults import page_not_found

from notifications import installing
from operations import first_steps
from operations.metrics import metrics
from tenants.invitations import pages
from tenants.password_reset import pages as password_pages

urlpatterns: list[URLPattern | URLResolver] = [
    path("", first_steps.home, name="home"),
    path("admin/checklist/<int:pk>/dismiss/", first_steps.dismiss, name="dismiss_checklist"),
    # Django's redirect to a row's public page: no row has one.
    re_path("^admin/r/", page_not_found, {"exception": Http404()}),
    path("admin/password-reset/", password_pages.ask, name="admin_password_reset"),  # the login page links to it
    path(
        "admin/password-reset/<str:uidb64>/<str:token>/",
        password_pages.Confirm.as_view(),
        name="password_reset_confirm",
    ),
    path("", include("accounts.urls")),
    path("admin/", admin.site.urls),
    path("invitation/<str:token>/", pages.open_link, name="invitation"),
    path("invitations/<int:pk>/", pages.answer, name="answer_invitation"),
    path("service-worker.js", installing.service_worker, name="service_worker"),
    path("manifest.webmanifest", installing.manifest, name="manifest"),
    path("", include("config.web.webhook_urls")),
    path("metrics", metrics, name="metrics"),
    path("api/", include("privacy.urls")),
    path("api/", include("api.urls")),
]

if settings.SANDBOX:
    urlpatterns.append(path("sandbox/", include("sandbox.urls")))
