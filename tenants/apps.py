from django.apps import AppConfig
from django.apps.registry import Apps
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate

from runtime.row_security import roles, scope


class TenantsConfig(AppConfig):
    name = "tenants"
    verbose_name = "Businesses"

    def ready(self) -> None:
        connection_created.connect(scope.carry_scopes)
        post_migrate.connect(protect, sender=self)


def protect(apps: Apps | None = None, **kwargs: object) -> None:
    """After `migrate`. Django also sends the signal when a test's tables were emptied: without `apps`."""
    if apps is not None and not roles.protect(apps):
        print(f"\n{scope.UNPROTECTED}\n")
