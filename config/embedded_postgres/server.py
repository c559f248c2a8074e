"""Lets a process join and leave the embedded server.

There are two lock files next to the data folder. Every process that uses the server holds a shared lock on `….users`;
stopping the server takes an exclusive one, so no process can join meanwhile. The keeper holds `….keeper`.
"""

import atexit
import fcntl
import os
import subprocess
import sys
import threading
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from .cluster import Answer, Cluster

_PROJECT = Path(__file__).resolve().parents[2]
# The locks of this process: (process, data folder) -> the open lock file. A forked child has to join on its own.
_joined: dict[tuple[int, Path], int] = {}
_joining = threading.Lock()  # a second thread waits while the first one starts the server


def join(data: Path) -> None:
    """Make this process a user of the server, and return once the server accepts connections."""
    me = (os.getpid(), data)
    if me in _joined:
        return
    with _joining:
        if me not in _joined:
            _joined[me] = _sign_on(data)
            atexit.register(_leave, me)


def _sign_on(data: Path) -> int:
    data.parent.mkdir(parents=True, exist_ok=True)
    users = open_lock(data, "users")
    try:
        fcntl.flock(users, fcntl.LOCK_SH)
        _ensure_kept(data)
    except BaseException:
        os.close(users)
        raise
    return users


def open_lock(data: Path, name: str) -> int:
    return os.open(data.with_name(f"{data.name}.{name}"), os.O_RDONLY | os.O_CREAT, 0o644)


def try_lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _ensure_kept(data: Path) -> None:
    """Start a keeper, and with it the server, unless both are running."""
    keeper = open_lock(data, "keeper")
    try:
        if not try_lock(keeper) and Cluster(data).ask() is Answer.READY:
            return
    finally:
        os.close(keeper)
    started = subprocess.run(
        [sys.executable, "-m", "config.embedded_postgres.keeper", data],
        cwd=_PROJECT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if started.returncode:
        raise ImproperlyConfigured(started.stderr.strip())


def _leave(me: tuple[int, Path]) -> None:
    """Stop the server if no other process uses it. Runs when this process exits normally."""
    if me[0] != os.getpid():
        return
    users = _joined.pop(me)
    if try_lock(users):
        Cluster(me[1]).stop()
    os.close(users)
