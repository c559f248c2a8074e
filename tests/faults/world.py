"""Everything together: a database, the wire, web and worker processes, and Meta."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet

from . import behaviour, invariants
from .meta import NUMBER, Meta
from .mutants import UNGUARDED
from .postgres import PROJECT, Database, Row, plain_environment
from .processes import FIELD_KEY, PRODUCTION, SHORT, Process, answers, free_port, wait_until, web, worker
from .wire import Wire

FALLBACK = "Sorry, a person will answer."
DONE = """
SELECT (SELECT count(*) FROM turns WHERE state IN ('collecting', 'generating'))
     + (SELECT count(*) FROM conversation_messages WHERE status IN ('queued', 'sending'))
"""


class World:
    def __init__(self, database: Database, folder: Path, mutant: str = "", **settings: object) -> None:
        self.database, self.folder, self.mutant = database, folder, mutant
        if mutant in UNGUARDED:
            database.execute(UNGUARDED[mutant])
        self.wire = Wire(behaviour.accept, behaviour.answer)
        self.port = free_port()
        self.meta = Meta(self.port)
        self.wire.on_accept = self.meta.follow
        self.settings = {name: str(value) for name, value in settings.items()}
        self.webs: list[Process] = []
        self.workers: list[Process] = []

    def environment(self, **more: object) -> dict[str, str]:
        return {
            **plain_environment(),
            **PRODUCTION,
            **SHORT,
            "DATABASE_URL": self.database.url,
            "PORT": str(self.port),
            "WHATSAPP_GRAPH_URL": self.wire.url,
            "OPENAI_BASE_URL": f"{self.wire.url}/model/default/v1",
            "OPENAI_API_KEY": "key-default",
            "CRASH_POINT_LATCH": str(self.folder / "latch"),
            **self.settings,
            **{name: str(value) for name, value in more.items()},
        }

    # --- tenants and processes ---

    def add_tenant(self, number: str = NUMBER, **assistant: object) -> int:
        """A business with one number, which its token and key contain. Returns its ID."""
        tenant = self.database.insert("tenants", name=f"Tenant {number}", slug=f"t{number}", is_active=True)
        self.database.insert(
            "whatsapp_accounts",
            tenant_id=tenant,
            phone_number_id=number,
            display_phone_number="",
            waba_id=f"waba{number}",
            access_token=encrypted(f"token-{number}"),
            app_secret="",
            is_active=True,
        )
        columns: dict[str, object] = {
            "instructions": f"You work for {number}.",
            "model": "",
            "max_output_tokens": 200,
            "history_limit": 20,
            "api_key": encrypted(f"key-{number}"),
            "base_url": f"{self.wire.url}/model/{number}/v1",
            "fallback_text": FALLBACK,
        }
        self.database.insert("assistants", tenant_id=tenant, **{**columns, **assistant})
        return tenant

    def start(self, workers: int = 1, **crash: object) -> None:
        self.start_web(wait=False)
        for _ in range(workers):
            self.start_worker(**crash)
        self.wait_for_web()

    def start_web(self, wait: bool = True, **more: object) -> Process:
        self.webs.append(web(self.environment(**more), self.folder / "web.log", self.mutant))
        if wait:
            self.wait_for_web()
        return self.webs[-1]

    def wait_for_web(self) -> None:
        def up() -> bool:
            assert self.webs[-1].is_running, self.webs[-1].output[-3000:]
            return answers(self.port)

        wait_until(up, 60, "web did not start")

    def start_worker(self, **more: object) -> Process:
        log = self.folder / f"worker{len(self.workers)}.log"
        self.workers.append(worker(self.environment(**more), log, self.mutant))
        return self.workers[-1]

    def run(self, code: str) -> str:
        """Run a person's action in its own process, with Django set up. Returns what it prints."""
        done = subprocess.run(
            [sys.executable, "manage.py", "shell", "--no-imports", "-v", "0", "-c", code],
            cwd=PROJECT,
            env=self.environment(LOG_LEVEL="ERROR"),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def close(self) -> None:
        self.meta.gave_up = True
        for process in (*self.webs, *self.workers):
            if process.is_running:
                process.kill()
        self.wire.close()
        self.database.drop()

    # --- results ---

    def rows(self, query: str, *values: object) -> list[Row]:
        return self.database.rows(query, *values)

    def one(self, query: str, *values: object) -> Any:
        return self.database.one(query, *values)

    @property
    def replies(self) -> list[Row]:
        return self.rows("SELECT * FROM conversation_messages WHERE origin = 'assistant' ORDER BY id")

    @property
    def turns(self) -> list[Row]:
        return self.rows("SELECT * FROM turns ORDER BY id")

    def wait(self, condition: Any, seconds: float = 120, what: str = "it did not happen") -> None:
        try:
            wait_until(condition, seconds, what)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.story()}") from None

    def settle(self, seconds: float = 180, unfinished: int = 0) -> None:
        """Wait until no work is open (I6), all statuses have arrived, and the jobs are done."""

        def quiet() -> bool:
            return int(self.one(DONE)) <= unfinished and self.meta.statuses_open == 0

        self.wait(quiet, seconds, "something stayed unfinished")
        time.sleep(0.2)
        self.wait(quiet, seconds, "something stayed unfinished")

    def judge(self, **excused: Any) -> None:
        """I1 to I6."""
        invariants.check(self.database, self.wire.calls, self.meta.acknowledged, **excused)

    def story(self) -> str:
        """Everything to know about a failed test."""
        turns = self.rows("SELECT id, state, outcome, generation, lost_leases, superseded, error FROM turns LIMIT 20")
        messages = self.rows(
            "SELECT id, conversation_id c, role, left(text, 50) t, status, external_id w, error_detail"
            " FROM conversation_messages ORDER BY id LIMIT 40"
        )
        logs = [process.output[-2500:] for process in (*self.webs[-1:], *self.workers[-2:])]
        calls = [f"{call.kind} {call.place} {call.opaque} {call.text[:40]} {call.wamid}" for call in self.wire.calls]
        return "\n".join(map(str, (*turns, *messages, *calls[-20:], *logs)))


def encrypted(secret: str) -> str:
    return Fernet(FIELD_KEY.encode()).encrypt(secret.encode()).decode()
