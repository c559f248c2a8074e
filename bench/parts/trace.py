"""Which of the product's modules and functions one text and its reply pass through: `make bench PARTS=trace`.

In a process of its own, Django's test client posts a signed delivery while `manage.py worker` runs; both are profiled
until the reply is recorded. Only functions that were entered for each of several messages count, so that start-up and
periodic work drop out. The product is everything but tests, sandbox, bench and migrations; lambdas, comprehensions
and module bodies aren't functions. The list is in `.data/bench/trace.txt`.
"""

import functools
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import FrameType

import django
from django.core.management import call_command
from django.test import Client

from bench import database, load, stack
from bench.stack import PROJECT, Scale
from bench.tables import Goal, goal, print_table
from runtime.row_security import scope

ROUNDS, WARM_ROUNDS = 8, 3
LONGEST = 60
ELSEWHERE = {"tests", "sandbox", "bench", "migrations"}
RECORDED = "SELECT count(*) FROM conversation_messages WHERE role = 'assistant' AND status = 'sent'"

Function = tuple[str, str]  # file, qualified name


def run(scale: Scale) -> list[Goal]:
    database.empty()
    with stack.stand_in(0, 0):
        command = [sys.executable, "-m", "bench.parts.trace"]
        done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise SystemExit(f"the trace failed:\n{done.stderr[-3000:]}")
    found = json.loads(done.stdout.splitlines()[-1])
    passed = {where: {(file, name) for file, name in functions} for where, functions in found.items()}
    every = passed["webhook"] | passed["worker"]
    lines = [f"{where} {file} {name}" for where, functions in passed.items() for file, name in sorted(functions)]
    (stack.DATA / "trace.txt").write_text("\n".join(lines) + "\n")
    sets = [*passed.items(), ("in all", every)]
    rows = [[where, len({file for file, _ in functions}), len(functions)] for where, functions in sets]
    print_table("One text and its reply pass through", ["", "modules", "functions"], rows)
    modules, functions = len({file for file, _ in every}), len(every)
    return [
        goal("modules that one text and its reply pass through", str(modules), "at most 22", modules <= 22),
        goal("functions that one text and its reply pass through", str(functions), "at most 100", functions <= 100),
    ]


def run_worker() -> None:
    """Everything that answers, until SIGTERM."""
    call_command("worker")


@functools.cache
def product_file(path: str) -> str:
    """The path below the project's root; "" when it isn't the product's."""
    file = Path(path)
    if not file.is_relative_to(PROJECT):
        return ""
    parts = file.relative_to(PROJECT).parts
    return "" if ELSEWHERE & set(parts) or parts[0].startswith(".") else "/".join(parts)


class Profile:
    """The functions that were entered while it was on, by the thread that posts and by all others."""

    def __init__(self) -> None:
        self.on = False
        self.entered: dict[str, set[Function]] = {"webhook": set(), "worker": set()}

    def __call__(self, frame: FrameType, event: str, argument: object) -> None:
        if not self.on or event != "call":
            return
        code = frame.f_code
        if not code.co_name.startswith("<") and (file := product_file(code.co_filename)):
            where = "webhook" if threading.current_thread().name == "poster" else "worker"
            self.entered[where].add((file, code.co_qualname))

    def start(self) -> None:
        self.entered = {"webhook": set(), "worker": set()}
        self.on = True

    def stop(self) -> dict[str, set[Function]]:
        self.on = False
        return self.entered


def post_and_wait(serial: int) -> None:
    before = database.one(RECORDED)
    body = load.delivery(1, serial, load.new_run())
    client = Client(headers={"host": "127.0.0.1", "x-hub-signature-256": load.sign(body)})
    response = client.post("/api/whatsapp/webhook", data=body, content_type="application/json")
    assert response.status_code == 200, response.status_code
    end = time.monotonic() + LONGEST
    while database.one(RECORDED) == before:
        if time.monotonic() > end:
            raise SystemExit(f"no reply within {LONGEST} s")
        time.sleep(0.01)
    time.sleep(0.1)  # what follows a recorded reply


def main() -> None:
    profile = Profile()
    found: list[dict[str, set[Function]]] = []

    def post_several() -> None:
        try:
            for serial in range(WARM_ROUNDS + ROUNDS):
                profile.start()
                post_and_wait(serial)
                entered = profile.stop()
                if serial >= WARM_ROUNDS:
                    found.append(entered)
                time.sleep(random.random())
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    threading.setprofile(profile)
    sys.setprofile(profile)
    threading.Thread(target=post_several, name="poster").start()
    run_worker()
    sys.setprofile(None)
    if len(found) < ROUNDS:
        sys.exit(1)
    always = {where: sorted(set.intersection(*(entered[where] for entered in found))) for where in found[0]}
    print(json.dumps(always))


if __name__ == "__main__":
    stack.use_environment()
    scope.open_process()
    django.setup()
    main()
