"""The embedded server's companion process: starts it, and stops it when the last user is gone.

A last user that exits normally stops the server itself; the keeper is for users that are killed. Run as ``python -m
config.embedded_postgres.keeper DATA_FOLDER``; it returns once the server accepts connections, and continues in the
background.
"""

import os
import sys
import time
from pathlib import Path

from .cluster import Answer, Cluster, ClusterError
from .server import open_lock, try_lock

_POLL_SECONDS = 0.2


def main(data: Path) -> int:
    cluster = Cluster(data)
    users, keeper = open_lock(data, "users"), open_lock(data, "keeper")
    while not try_lock(keeper):
        # Another keeper is starting the server, already running it, or about to exit.
        if cluster.ask() is Answer.READY:
            return 0
        time.sleep(_POLL_SECONDS / 4)
    try:
        cluster.start()
    except ClusterError as error:
        print(error, file=sys.stderr)
        return 1
    if os.fork():
        return 0
    _detach()
    while cluster.is_alive():
        if try_lock(users):
            cluster.stop()
            break
        time.sleep(_POLL_SECONDS)
    return 0


def _detach() -> None:
    """Detach from the terminal's Ctrl-C and from the pipes of the parent process."""
    os.setsid()
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
