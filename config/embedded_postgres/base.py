"""Django's PostgreSQL backend, pointed at the embedded server."""

from typing import Any

from django.db.backends.postgresql import base

from . import server


class DatabaseWrapper(base.DatabaseWrapper):
    def get_connection_params(self) -> dict[str, Any]:
        self.settings_dict["USER"] = "postgres"
        self.settings_dict["HOST"] = server.socket_folder(self.settings_dict["DATA_FOLDER"])
        return dict(super().get_connection_params())
