"""`make run`: all of Parley on one machine, for trying it out and for development.

Prepares the database, prints where everything is once the web process answers, and runs the processes of the
Procfile until Ctrl-C. The environment overrides `.env`, which overrides the defaults in this file.
"""

import contextlib
import http.client
import io
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path

import django
from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import OperationalError, connection, connections
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from honcho.environ import parse_procfile
from honcho.manager import KILL_WAIT, Manager
from honcho.process import Process

from config import env_file
from runtime.row_security import scope

_INTERRUPTED = 130  # honcho's return code after Ctrl-C
_PROJECT = Path(__file__).resolve().parent.parent


def main() -> int:
    try:
        _choose_defaults()
        scope.open_process()
        django.setup()
        _refuse_taken_port()
        banner = _prepare()
    except (ImproperlyConfigured, OperationalError) as error:
        print(f"\nParley didn't start. {error}", file=sys.stderr)
        return 1
    return _run_processes(banner)


def _choose_defaults() -> None:
    env_file.read()
    choose = os.environ.setdefault
    choose("DJANGO_SETTINGS_MODULE", "config.settings")
    choose("DEBUG", "true")
    if env_file.Environment().bool("DEBUG"):
        choose("SANDBOX", "true")
    # Accept any phone_number_id, so that the first `curl` works whichever one it uses.
    choose("MULTITENANT_ENABLED", "false")
    # Less than the time after which honcho kills processes.
    choose("WORKER_STOP_SECONDS", str(KILL_WAIT - 1))
    choose("WEB_DRAIN_SECONDS", "0")
    choose("PYTHONUNBUFFERED", "1")
    # So that `python` in the Procfile is this interpreter.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"


def _refuse_taken_port() -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", settings.PORT))
        except OSError as error:
            raise ImproperlyConfigured(
                f"PORT {settings.PORT} isn't available ({error}). Stop the program that uses it, "
                "or choose another port: PORT=8001 make run"
            ) from error


def _prepare() -> str:
    """Bring the database up to date; returns what to print once the web process answers."""
    print("Starting the database …", flush=True)
    refuse_unknown_data()
    print("Preparing the tables …", flush=True)
    call_command("migrate", interactive=False, verbosity=0)
    if not settings.DEBUG:
        call_command("collectstatic", interactive=False, verbosity=0)
        return f"Parley runs at {settings.PUBLIC_URL} (DEBUG=false: no sandbox, no demo data).\n"
    print("Loading the demo …", flush=True)
    banner = io.StringIO()
    call_command("demo", again=False, stdout=banner, no_color=True)
    return banner.getvalue()


def refuse_unknown_data() -> None:
    """Stop if the database has migrations of ours that this version doesn't know: `migrate` would fail on it."""
    ours = {app.label for app in apps.get_app_configs() if Path(app.path).parent == _PROJECT}
    known = MigrationLoader(None).disk_migrations
    recorded = MigrationRecorder(connection).applied_migrations()
    unknown = sorted(f"{app}.{name}" for app, name in recorded if app in ours and (app, name) not in known)
    if unknown:
        remedy = (
            "Set DATABASE_URL to an empty database."
            if os.environ.get("DATABASE_URL")
            else "Run `make reset` to delete the data in .data, then `make run` to start with an empty database."
        )
        raise ImproperlyConfigured(
            f"The database was created by another version of Parley: this version doesn't have the migration "
            f"{unknown[0]}. Data from before 0.2.0 can't be upgraded. {remedy}"
        )


def _run_processes(banner: str) -> int:
    print("Starting the web server and the worker …", flush=True)
    # This process keeps using the embedded server until all the others have left it.
    connections.close_all()
    manager = Manager()
    manager._process_ctor = _Process
    for name, command in parse_procfile((_PROJECT / "Procfile").read_text()).processes.items():
        manager.add_process(name, command, env=os.environ.copy(), cwd=str(_PROJECT))
    _print_when_ready(banner)
    try:
        manager.loop()
    except OSError:  # the terminal is gone, so nothing can be printed; the processes end with this one
        os._exit(1)
    return 0 if manager.returncode == _INTERRUPTED else int(manager.returncode)


class _Process(Process):  # type: ignore[misc]
    """Runs a line of the Procfile, and ends it if `make run` is killed or its terminal is closed."""

    def run(self, *args: object, **kwargs: object) -> None:
        signal.signal(signal.SIGHUP, lambda *_: None)  # of the terminal; not ignored: that would be inherited
        threading.Thread(target=self._end_with, args=(os.getppid(),), daemon=True).start()
        super().run(*args, **kwargs)

    def _end_with(self, parent: int) -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os.killpg(self._child.pid, signal.SIGTERM)


def _print_when_ready(banner: str) -> None:
    """A timer, not a thread, because honcho forks."""

    def look(*_: object) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            web = http.client.HTTPConnection("127.0.0.1", settings.PORT, timeout=1)
            web.request("GET", "/healthz", headers={"Connection": "close"})
            if web.getresponse().status == 200:
                print(f"\n{banner.strip()}\n\nCtrl-C stops everything.\n", flush=True)
                return
        # Set again only now: a repeating timer would interrupt a slow first answer, and print once for each time.
        signal.setitimer(signal.ITIMER_REAL, 0.2)

    signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, 0.2)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
