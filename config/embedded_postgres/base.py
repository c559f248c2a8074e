"""Django's PostgreSQL backend, pointed at the embedded server."""

from pathlib import Path
from typing import Any

from django.db import DEFAULT_DB_ALIAS
from django.db.backends.postgresql import base

from . import server
from .cluster import PORT, Cluster


class DatabaseWrapper(base.DatabaseWrapper):
    def __init__(self, settings_dict: dict[str, Any], alias: str = DEFAULT_DB_ALIAS) -> None:
        self._data = Path(settings_dict["DATA_FOLDER"]).resolve()
        # Known before the server runs. `manage.py dbshell` reads them too.
        settings_dict.update(USER="postgres", HOST=str(Cluster(self._data).socket_folder), PORT=PORT)
        super().__init__(settings_dict, alias)

    def get_connection_params(self) -> dict[str, Any]:
        server.join(self._data)
        return dict(super().get_connection_params())
