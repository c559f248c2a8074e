"""A process that uses the embedded PostgreSQL, for tests."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
# Prints one line once it's connected, and runs until its standard input ends.
USER = """
import sys
from django.conf import settings
settings.configure(DATABASES={"default": {
    "ENGINE": "config.embedded_postgres", "NAME": "postgres", "DATA_FOLDER": sys.argv[1]}})
from django.db import connection
with connection.cursor() as cursor:
    cursor.execute(sys.argv[2])
    print(cursor.fetchone()[0] if cursor.description else "done", flush=True)
sys.stdin.read()
"""
WHO_SERVES = "SELECT pg_read_file('postmaster.pid')::text"


class User:
    """A process that uses the server."""

    def __init__(self, data: Path, query: str = WHO_SERVES, **environment: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", USER, str(data), query],
            cwd=PROJECT,
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def answer(self) -> str:
        """The first line it prints: for `WHO_SERVES`, the server's process id."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline().strip()
        if not line:
            raise AssertionError(self.process.communicate()[1])
        return line

    def leave(self) -> None:
        """Exit normally."""
        _, errors = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, errors

    def kill(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
            self.process.communicate()


Use = Callable[..., User]


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def commands() -> list[str]:
    asked = subprocess.run(["ps", "-wweo", "args"], capture_output=True, text=True, check=True)
    return asked.stdout.splitlines()


def nothing_runs(data: Path) -> bool:
    return not any(str(data) in command and "pytest" not in command for command in commands())


def keeper_of(data: Path) -> int:
    asked = subprocess.run(["ps", "-wweo", "pid,args"], capture_output=True, text=True, check=True)
    (line,) = (line for line in asked.stdout.splitlines() if line.endswith(f".keeper {data}"))
    return int(line.split()[0])
