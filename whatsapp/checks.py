"""Checks the channel's settings at startup."""

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register


@register
def deliveries_are_signed(app_configs: object, **kwargs: object) -> list[CheckMessage]:
    """Without DEBUG, the settings don't load without a secret."""
    if settings.WHATSAPP_APP_SECRETS or settings.SANDBOX:
        return []
    hint = "Set WHATSAPP_APP_SECRET (Meta: App settings, Basic, App secret)."
    return [
        Warning("Webhook deliveries aren't verified: WHATSAPP_APP_SECRET is not set.", hint=hint, id="whatsapp.W001")
    ]


@register
def the_single_business_can_send(app_configs: object, **kwargs: object) -> list[CheckMessage]:
    if settings.MULTITENANT_ENABLED or settings.WHATSAPP_ACCESS_TOKEN or not settings.WHATSAPP_ENABLED:
        return []
    hint = "Set WHATSAPP_ACCESS_TOKEN, or set MULTITENANT_ENABLED=true and enter a token for each number in the admin."
    return [Warning("Replies can't be sent: WHATSAPP_ACCESS_TOKEN is not set.", hint=hint, id="whatsapp.W002")]


@register
def graph_version_is_a_version(app_configs: object, **kwargs: object) -> list[CheckMessage]:
    version = settings.WHATSAPP_GRAPH_VERSION
    if version.startswith("v") and version[1:].replace(".", "", 1).isdigit():
        return []
    hint = "Use a version like v24.0; see https://developers.facebook.com/docs/graph-api/changelog"
    return [Error(f"WHATSAPP_GRAPH_VERSION={version!r} isn't a version.", hint=hint, id="whatsapp.E001")]
