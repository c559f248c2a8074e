"""Parley and its sandbox on one port, as in `make run`. The sandbox plays Meta and the model."""

from typing import Any

import httpx2

from .processes import wait_until
from .wire import Json
from .world import World

SANDBOX = {
    "DEBUG": "true",
    "SANDBOX": "true",
    "MULTITENANT_ENABLED": "false",
    "WEB_THREADS": "16",  # each reply needs two at once: the sandbox's model or Graph, and the webhook
    "RETRY_TIME_SCALE": "0.01",
}


class Sandboxed:
    def __init__(self, world: World) -> None:
        self.world = world
        base = f"http://127.0.0.1:{world.port}/sandbox"
        world.settings |= SANDBOX | {
            "WHATSAPP_GRAPH_URL": f"{base}/graph",
            "OPENAI_BASE_URL": f"{base}/openai/v1",
            "WHATSAPP_ACCESS_TOKEN": "sandbox-token",
        }
        world.run("from django.core.management import call_command; call_command('migrate', verbosity=0)")
        world.start()
        self.http = httpx2.Client(base_url=base, timeout=30, headers={"Content-Type": "application/json"})

    def close(self) -> None:
        self.http.close()
        self.world.close()

    def weather(self, *rules: Json) -> None:
        self._call("PUT", "/weather", json={"rules": list(rules)})

    def say(self, number: str, person: str, text: str) -> str:
        """A customer writes with the phone. Returns the wamid; '' if the webhook refused it."""
        answer = self._call("POST", f"/phone/{number}/{person}/messages", json={"kind": "text", "text": text})
        return str(answer.get("wamid", ""))

    def shown(self, number: str, person: str) -> Json:
        return self._call("GET", f"/phone/{number}/{person}")

    def log(self, area: str, word: str) -> list[Json]:
        """The requests to a service with this word in their path or body."""
        entries = self._call("GET", "/log", params={"area": area, "limit": 5000})["entries"]
        return [entry for entry in entries if word in f"{entry['path']} {entry['body']}"]

    def sends(self, number: str) -> list[Json]:
        """The messages that Parley asked Graph to send for this number, without read receipts."""
        return [
            entry
            for entry in self.log("graph", number)
            if '"biz_opaque_callback_data"' in str(entry["body"]).replace("'", '"')
        ]

    def _call(self, method: str, path: str, **kwargs: Any) -> Json:
        answer = self.http.request(method, path, **kwargs)
        assert answer.status_code < 500, answer.text
        found: Json = answer.json()
        return found

    # --- Parley's database ---

    def replies(self, number: str) -> list[Json]:
        return self.world.rows(
            "SELECT m.* FROM conversation_messages m JOIN conversations c ON c.id = m.conversation_id"
            " WHERE c.phone_number_id = %s AND m.origin = 'assistant' ORDER BY m.id",
            number,
        )

    def turns(self, number: str) -> list[Json]:
        return self.world.rows(
            "SELECT t.* FROM turns t JOIN conversations c ON c.id = t.conversation_id"
            " WHERE c.phone_number_id = %s ORDER BY t.id",
            number,
        )

    def wait_for_status(self, number: str, *statuses: str, seconds: float = 60) -> None:
        """Wait until the replies of this number have these statuses, in order."""

        def there() -> bool:
            return tuple(row["status"] for row in self.replies(number)) == statuses

        try:
            wait_until(there, seconds, f"the replies of {number} are not {statuses}")
        except AssertionError as error:
            raise AssertionError(
                f"{error}: {self.replies(number)}\n{self.turns(number)}\n{self.world.story()}"
            ) from None
