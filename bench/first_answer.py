"""`python3 -m bench.first_answer`: the time from cloning Parley to the first answer, broken down into its parts.

It clones the project, as committed, into a temporary folder, runs `make run` there, and posts the README's message.
It needs what a newcomer needs: Python, git and make. Downloads that pip has in its cache aren't repeated.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
GOAL_SECONDS = 60
LONGEST_SECONDS = 600
# What `make run` prints when a part begins.
BEGINS = {
    "install": "Installing packages",
    "database": "Starting the database",
    "migrate": "Preparing the tables",
    "demo": "Loading the demo",
    "start": "Starting the web server",
}
READY = "Ctrl-C stops everything"


def main() -> int:
    times: dict[str, float] = {}
    began = time.monotonic()

    def measured(part: str, do: Callable[[], object]) -> None:
        print(f"{part} …", file=sys.stderr, flush=True)
        started = time.monotonic()
        do()
        times[part] = time.monotonic() - started

    with tempfile.TemporaryDirectory(prefix="parley-") as folder:
        clone = Path(folder) / "parley"
        measured("clone", lambda: _run("git", "clone", "--quiet", str(PROJECT), str(clone)))
        measured("venv", lambda: _run(os.environ.get("PYTHON", "python3"), "-m", "venv", str(clone / ".venv")))
        port = _free_port()
        with _make_run(clone, port) as process:
            try:
                times |= _parts_of(process)
                measured("first answer", lambda: _ask(clone, port))
            finally:
                os.killpg(process.pid, signal.SIGINT)
    total = time.monotonic() - began
    print("| part | seconds |\n|---|---|")
    for part, seconds in times.items():
        print(f"| {part} | {seconds:.1f} |")
    print(f"| **from clone to first answer** | **{sum(times.values()):.1f}** (goal: {GOAL_SECONDS}) |")
    print(f"\nLoad average: {os.getloadavg()[0]:.1f}. With stopping and cleaning up, it took {total:.0f} s.")
    return int(sum(times.values()) > GOAL_SECONDS)


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


def _make_run(clone: Path, port: int) -> "subprocess.Popen[str]":
    """Without your own settings."""
    kept = {"PATH", "HOME", "LANG", "TMPDIR", "HTTPS_PROXY", "https_proxy"}
    environment = {name: value for name, value in os.environ.items() if name in kept or name.startswith("PIP_")}
    return subprocess.Popen(
        ["make", "run"],
        cwd=clone,
        env={**environment, "PORT": str(port)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def _parts_of(process: "subprocess.Popen[str]") -> dict[str, float]:
    """Each part lasts until the next one begins."""
    assert process.stdout is not None
    times: dict[str, float] = {}
    part, began, printed = "install", time.monotonic(), []
    for line in process.stdout:
        printed.append(line)
        now = time.monotonic()
        begins = next((name for name, words in BEGINS.items() if line.startswith(words)), None)
        if begins or READY in line:
            times[part] = times.get(part, 0) + now - began
            part, began = begins or "", now
        if READY in line:
            return times
    raise SystemExit(f"`make run` ended:\n{''.join(printed)}")


def _ask(clone: Path, port: int) -> None:
    """Post the README's message, and wait for the reply on the phone."""
    found = re.search(
        r"curl -X POST \"http://localhost:8000(\S+)\".+?-d '(.+?)'", (clone / "README.md").read_text(), re.S
    )
    assert found, "the README has no first message"
    message = json.loads(found[2])["entry"][0]["changes"][0]["value"]
    base = f"http://127.0.0.1:{port}"
    request = urllib.request.Request(base + found[1], found[2].encode(), {"Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=10).read()
    number, customer = message["metadata"]["phone_number_id"], message["messages"][0]["from"]
    until = time.monotonic() + LONGEST_SECONDS
    while time.monotonic() < until:
        with urllib.request.urlopen(f"{base}/sandbox/phone/{number}/{customer}", timeout=10) as answer:
            if any(not each["mine"] for each in json.load(answer)["messages"]):
                return
        time.sleep(0.1)
    raise SystemExit("No answer came.")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
