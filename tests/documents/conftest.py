"""An installation that `make run` starts in a copy of the project, as a newcomer would."""

import os
import re
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.documents.blocks import PROJECT, Block

PORT = 8000
READY_SECONDS, DOCUMENT_SECONDS = 180, 180
# curl ends with an error if the server answers one. A port that's taken here is another one in the commands.
PRELUDE = 'set -eo pipefail\ncurl() { command curl --fail-with-body --silent --show-error "$@"; }\n'


@dataclass(frozen=True, slots=True)
class Installation:
    folder: Path
    port: int
    environment: dict[str, str]

    def run(self, blocks: list[Block]) -> subprocess.CompletedProcess[str]:
        """In one shell, so that what one block exports is there in the next."""
        text = "\n".join(f"echo {number}: running >&2\n{block.text}" for number, block in enumerate(blocks))
        script = PRELUDE + (text if self.port == PORT else text.replace(str(PORT), str(self.port)))
        return subprocess.run(
            ["bash", "-c", script],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=DOCUMENT_SECONDS,
        )


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("copy") / "parley"
    _copy(folder)
    port = PORT if _is_free(PORT) else _free_port()
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    environment["PATH"] = _without_virtual_environment(environment["PATH"])
    started = {**environment, "PORT": str(port)} if port != PORT else environment
    with subprocess.Popen(
        ["make", "run"],
        cwd=folder,
        env=started,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        printed: list[str] = []
        is_ready = threading.Event()
        reader = threading.Thread(target=_read, args=(process, printed, is_ready))
        reader.start()
        try:
            assert is_ready.wait(READY_SECONDS), "".join(printed)
            assert process.poll() is None, "".join(printed)
            assert re.search(r"password \S+ \(also in \.data/admin-password\)", "".join(printed))
            yield Installation(folder, port, started)
        finally:
            os.killpg(process.pid, signal.SIGINT)
            reader.join()


def _copy(folder: Path) -> None:
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        if (PROJECT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT / name, folder / name)
    (folder / ".venv").symlink_to(PROJECT / ".venv")
    for lock in folder.glob("*.lock"):  # what's installed is used as it is
        os.utime(lock, (0, 0))


def _without_virtual_environment(path: str) -> str:
    return os.pathsep.join(part for part in path.split(os.pathsep) if not Path(part).is_relative_to(PROJECT))


def _read(process: "subprocess.Popen[str]", printed: list[str], is_ready: threading.Event) -> None:
    """All of the output, so that the pipe never fills up."""
    for line in process.stdout or ():
        printed.append(line)
        if "Ctrl-C stops everything" in line:
            is_ready.set()
    is_ready.set()


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
