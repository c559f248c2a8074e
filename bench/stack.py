"""What the bench starts: the web processes, workers, the stand-in for Meta and the model, and the peers."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
DATA = PROJECT / ".data" / "bench"
PEERS = PROJECT / ".venv-bench" / "bin" / "python"
SECRET = "secret-of-the-bench"
NUMBER = "100000000000001"
NUMBERS = [str(int(NUMBER) + n) for n in range(4)]  # each belongs to another tenant: capacity is shared fairly
# Two benches on one machine need ports of their own.
WEB_PORT = int(os.environ.get("BENCH_PORT", "8711"))
STAND_IN_PORT, PROXY_PORT, REDIS_PORT = WEB_PORT + 1, WEB_PORT + 2, WEB_PORT + 3
WEBHOOK = f"http://127.0.0.1:{WEB_PORT}/api/whatsapp/webhook"
STAND_IN = f"http://127.0.0.1:{STAND_IN_PORT}"
WEB_PROCESSES, WEB_THREADS = 2, 16
STOP_SECONDS = 40

ENVIRONMENT = {
    "ENV_FILE": "",
    "DEBUG": "false",
    "SECRET_KEY": "bench-0123456789-abcdefghijklmnopqrstuvwxyz-0123456789-0123456789",
    "FIELD_ENCRYPTION_KEYS": "YmVuY2gtb25seS1maWVsZC1rZXktMDAwMDAwMDAwMDE=",
    "ALLOWED_HOSTS": "127.0.0.1",
    "WHATSAPP_APP_SECRET": SECRET,
    "CUSTOMER_REPLIES_PER_HOUR": "0",
    "MACHINE_EXCHANGES": "0",
    "WHATSAPP_VERIFY_TOKEN": "bench",
    "MULTITENANT_ENABLED": "true",
    "WHATSAPP_GRAPH_URL": STAND_IN,
    "OPENAI_BASE_URL": f"{STAND_IN}/v1",
    "OPENAI_API_KEY": "bench",
    "TURN_QUIET_SECONDS": "0",
    "PORT": str(WEB_PORT),
    "WEB_CONCURRENCY": str(WEB_PROCESSES),
    "WEB_THREADS": str(WEB_THREADS),
    "LOG_LEVEL": "ERROR",
    "MEDIA_FOLDER": str(DATA / "media"),
    "EMBEDDED_POSTGRES_FOLDER": str(DATA / "postgres"),
}

Web = Callable[[], AbstractContextManager[int]]  # starts web processes; the process ID of their parent
Worker = Callable[[], AbstractContextManager[int]]


@dataclass(frozen=True)
class Scale:
    """How thorough a run is: the length of a measurement, and by what the number of rows is divided."""

    seconds: int
    divisor: int


def use_environment() -> None:
    """Make this process, and every process it starts, use the bench's settings and database and no others."""
    DATA.mkdir(parents=True, exist_ok=True)
    given = os.environ.get("DATABASE_URL")
    os.environ.update(ENVIRONMENT, DJANGO_SETTINGS_MODULE="config.settings")
    if given:
        print(f"database: {given.rsplit('@', 1)[-1]} (its tables are emptied)")


@contextlib.contextmanager
def running(
    *arguments: str,
    port: int | None = None,
    program: Path | str = sys.executable,
    environment: Mapping[str, str] | None = None,
) -> Iterator[int]:
    """Run a process while the block runs, and yield its ID. `port`: wait until something answers there."""
    if port and _answers(port):
        raise SystemExit(f"port {port} is in use; choose other ports with BENCH_PORT=…")
    name = arguments[1] if arguments[0] == "-m" else arguments[0]
    with (DATA / f"{Path(name).name}.log").open("ab") as log:
        process = subprocess.Popen(
            [program, *arguments], cwd=PROJECT, env={**os.environ, **(environment or {})}, stdout=log, stderr=log
        )
        try:
            if port:
                _wait_for_port(port, process)
            yield process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_for_port(port: int, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(600):
        if process.poll() is not None:
            raise SystemExit(f"{process.args!r} ended; see {DATA}/*.log")
        if _answers(port):
            return
        time.sleep(0.1)
    raise SystemExit(f"nothing answers on port {port}; see {DATA}/*.log")


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


@contextlib.contextmanager
def web(application: str = "config.wsgi") -> Iterator[int]:
    """Parley's web processes as in production; or another application on the same server."""
    command = ("-m", "gunicorn", "-c", "config/gunicorn.py", application)
    with running(*command, port=WEB_PORT) as pid:
        warm_up()
        yield pid


def warm_up() -> None:
    """Make both web processes load the application before anything is measured."""
    for _ in range(4):
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{WEB_PORT}/healthz", timeout=20).read()


@contextlib.contextmanager
def worker(environment: Mapping[str, str] | None = None) -> Iterator[int]:
    with running("manage.py", "worker", environment=environment) as pid:
        yield pid


@contextlib.contextmanager
def stand_in(model_seconds: float, graph_seconds: float) -> Iterator[None]:
    command = ("-m", "bench.stand_in", str(STAND_IN_PORT), str(model_seconds), str(graph_seconds))
    with running(*command, port=STAND_IN_PORT):
        yield


def peer(
    *arguments: str, port: int | None = None, environment: Mapping[str, str] | None = None
) -> AbstractContextManager[int]:
    """A process of the peers' own virtual environment."""
    _need_peers()
    return running(*arguments, port=port, program=PEERS, environment=environment)


def run_peer(*arguments: str, environment: Mapping[str, str]) -> str:
    """Run a peer to its end, and return what it printed."""
    _need_peers()
    done = subprocess.run(
        [PEERS, *arguments], cwd=PROJECT, env={**os.environ, **environment}, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)} failed:\n{done.stderr[-3000:]}")
    return done.stdout


def _need_peers() -> None:
    if not PEERS.exists():
        raise SystemExit("the peers aren't installed: run `make bench`, which installs them into .venv-bench")
