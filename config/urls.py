"""Every URL of the installation."""

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.views import PasswordResetConfirmView
from django.urls import URLPattern, URLResolver, include, path, reverse_lazy
from django.views.generic import RedirectView

from tenants.invitations import FirstPasswordForm

urlpatterns: list[URLPattern | URLResolver] = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path(
        "set-password/<uidb64>/<token>/",
        PasswordResetConfirmView.as_view(
            template_name="tenants/set_password.html",
            form_class=FirstPasswordForm,
            success_url=reverse_lazy("admin:login"),
        ),
        name="set_password",
    ),
    path("", include("config.web.webhook_urls")),
    path("api/", include("api.urls")),
]

if settings.SANDBOX:
    urlpatterns.append(path("sandbox/", include("sandbox.urls")))
