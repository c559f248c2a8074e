from django.apps import AppConfig
from django.utils.module_loading import import_string


class PrivacyConfig(AppConfig):
    name = "privacy"
    verbose_name = "Data protection"

    def ready(self) -> None:
        """The models are loaded, and the admin's pages are registered."""
        import_string("privacy.audit_log.watched.watch_everything")()
