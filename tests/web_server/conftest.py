"""A real web process on the tests' database."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from tests.faults.postgres import plain_environment
from tests.faults.processes import PRODUCTION, Process, answers, free_port, wait_until

from .client import RawClient

Clients = Callable[..., RawClient]
WebProcesses = Callable[..., "WebProcess"]


class WebProcess:
    """One process with two threads for pages and two for the webhook."""

    def __init__(self, folder: Path, app: str = "config.wsgi", **environment: str) -> None:
        self.port = free_port()
        database = connection.settings_dict
        url = f"postgres://{database['USER']}:{database['PASSWORD']}@/{database['NAME']}?host={database['HOST']}"
        self.process = Process(
            ["-m", "gunicorn", "-c", "config/gunicorn.py", app],
            {
                **plain_environment(),
                **PRODUCTION,
                "SECRET_KEY": settings.SECRET_KEY,
                "FIELD_ENCRYPTION_KEYS": ",".join(settings.FIELD_ENCRYPTION_KEYS),
                "MULTITENANT_ENABLED": "false",
                "DATABASE_URL": f"{url}&port={database['PORT']}",
                "PORT": str(self.port),
                "WEB_THREADS": "2",
                "WEBHOOK_THREADS": "2",
                "WEB_REQUEST_SECONDS": "3",
                **environment,
            },
            folder / "web.log",
        )

    def wait(self) -> "WebProcess":
        def is_up() -> bool:
            assert self.process.is_running, self.process.output
            return answers(self.port)

        wait_until(is_up)
        return self


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory, django_db_setup: None) -> Iterator[WebProcesses]:
    running: list[WebProcess] = []

    def start(app: str = "config.wsgi", **environment: str) -> WebProcess:
        running.append(WebProcess(tmp_path_factory.mktemp("web"), app, **environment))
        return running[-1].wait()

    yield start
    for each in running:
        each.process.kill()


@pytest.fixture(scope="module")
def web(started: WebProcesses) -> WebProcess:
    return started()


@pytest.fixture
def connect(web: WebProcess, transactional_db: None) -> Iterator[Clients]:
    """Opens a connection to the web process, or to another one."""
    opened: list[RawClient] = []

    def open_one(to: WebProcess = web) -> RawClient:
        opened.append(RawClient(to.port))
        return opened[-1]

    yield open_one
    for client in opened:
        client.close()
