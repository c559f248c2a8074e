"""Checks the settings at startup, instead of failing on the first message."""

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from conversations.outbox.senders import load_sender


@register
def sender_can_be_loaded(app_configs: object, **kwargs: object) -> list[CheckMessage]:
    try:
        load_sender()
    except (ImportError, TypeError) as error:
        hint = "MESSAGE_SENDER is the dotted path of a class, for example whatsapp.graph.sender.WhatsAppSender."
        message = f"MESSAGE_SENDER={settings.MESSAGE_SENDER!r} can't be used: {error}"
        return [Error(message, hint=hint, id="conversations.E001")]
    return []
