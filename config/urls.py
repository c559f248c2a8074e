"""Every address of the installation."""

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.views import PasswordResetConfirmView
from django.urls import URLPattern, URLResolver, include, path, re_path, reverse_lazy
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView
from rest_framework.routers import SimpleRouter

from api.staff.tenants import NotFoundView, TenantViewSet
from api.staff.whatsapp_accounts import WhatsAppAccountViewSet
from operations import health
from tenants.invitations import FirstPasswordForm
from whatsapp.webhook.views import WebhookView

api = SimpleRouter(trailing_slash=False)
api.register("tenants", TenantViewSet)
api.register("whatsapp-accounts", WhatsAppAccountViewSet)

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
    path("api/whatsapp/webhook", WebhookView.as_view(), name="webhook"),
    path("api/admin/", include(api.urls)),
    path("api/schema", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs", SpectacularSwaggerView.as_view(), name="docs"),
    path("api/", include("api.urls")),
    path("healthz", health.alive, name="healthz"),
    path("readyz", health.ready, name="readyz"),
]

if settings.SANDBOX:
    urlpatterns.append(path("sandbox/", include("sandbox.urls")))

urlpatterns.append(re_path("^api/", NotFoundView.as_view()))
