"""Web and worker as real processes, each in its own group, so that a signal reaches all of it."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from .postgres import PROJECT

SECRET = "app-secret-of-the-fault-tests"
FIELD_KEY = "ZmF1bHQtdGVzdHMtb25seS1maWVsZC1rZXktMDAwMDE="
# Shortens waits; never changes logic.
SHORT = {
    "TURN_QUIET_SECONDS": "0.2",
    "TURN_MAX_WAIT_SECONDS": "1",
    "TURN_LEASE_SECONDS": "8",
    "MODEL_CONNECT_SECONDS": "2",
    "MODEL_ATTEMPT_SECONDS": "3",
    "MODEL_TURN_SECONDS": "7",
    "GRAPH_SECONDS": "8",
    "SENDING_SECONDS": "10",
    "SWEEP_SECONDS": "0.5",
    "RETRY_TIME_SCALE": "0.05",
    "WORKER_POLL_SECONDS": "0.1",
    "WORKER_STOP_SECONDS": "30",
}
PRODUCTION = {
    "ENV_FILE": "",
    "DEBUG": "false",
    "SECRET_KEY": "fault-tests-0123456789-abcdefghijklmnopqrstuvwxyz-0123456789",
    "FIELD_ENCRYPTION_KEYS": FIELD_KEY,
    "ALLOWED_HOSTS": "127.0.0.1",
    "WHATSAPP_APP_SECRET": SECRET,
    "WHATSAPP_VERIFY_TOKEN": "verify",
    "MULTITENANT_ENABLED": "true",
    "OPENAI_MODEL": "m",
    "CUSTOMER_REPLIES_PER_HOUR": "0",
    "WEB_HOST": "127.0.0.1",
    "WEB_CONCURRENCY": "1",
    "WEB_DRAIN_SECONDS": "0",
    "WEB_THREADS": "8",
}


def wait_until(condition: Callable[[], object], seconds: float = 60, what: str = "it did not happen") -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} (within {seconds:g} s)"
        time.sleep(0.03)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Process:
    """One run of a command. All runs with the same name share an output file."""

    def __init__(self, arguments: list[str], environment: dict[str, str], log: Path) -> None:
        self.log = log
        with log.open("ab") as output:
            self._began = output.tell()
            self._process = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=PROJECT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        return self.log.read_bytes()[self._began :].decode(errors="replace")

    @property
    def id(self) -> int:
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def send(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def kill(self) -> None:
        """As if the power had failed: the whole group, at once."""
        self.send(signal.SIGKILL)
        self._process.wait(60)

    def freeze(self) -> None:
        self.send(signal.SIGSTOP)

    def thaw(self) -> None:
        self.send(signal.SIGCONT)

    def terminate(self) -> None:
        os.kill(self._process.pid, signal.SIGTERM)

    def wait(self, seconds: float) -> int:
        return self._process.wait(seconds)

    def wait_for(self, words: str, seconds: float = 60) -> None:
        def said() -> bool:
            assert self.is_running or words in self.output, f"{self.log.name} ended:\n{self.output[-3000:]}"
            return words in self.output

        wait_until(said, seconds, f"{self.log.name} did not say {words!r}")


def web(environment: dict[str, str], log: Path, mutant: str = "") -> Process:
    mutated = ["tests.faults.mutated_wsgi"] if mutant else []
    return Process(["-m", "gunicorn", "-c", "config/gunicorn.py", *mutated], {**environment, "MUTANT": mutant}, log)


def worker(environment: dict[str, str], log: Path, mutant: str = "") -> Process:
    start = ["-m", "tests.faults.mutants", mutant] if mutant else ["manage.py"]
    return Process([*start, "worker"], environment, log)


def answers(port: int) -> bool:
    """Wait for a response, because the socket opens before Django is ready."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
