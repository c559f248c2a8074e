from django.apps import AppConfig

from . import checks  # noqa: F401 - registers them


class WhatsAppConfig(AppConfig):
    name = "whatsapp"
    verbose_name = "WhatsApp"
