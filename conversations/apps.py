from django.apps import AppConfig

from . import checks  # noqa: F401 - registers them


class ConversationsConfig(AppConfig):
    name = "conversations"
    verbose_name = "Conversations"
