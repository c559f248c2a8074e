"""Writes to Parley on the sandbox's phone, waits for the reply, and prints it. Used by try_image and try_install."""

import argparse
import http.client
import json
import sys
import time
from typing import Any
from urllib.parse import urlsplit

NUMBER, CUSTOMER = "100000000000001", "49151000001"


def ask(sandbox: str, method: str, path: str, body: object = None) -> dict[str, Any]:
    url = urlsplit(sandbox)
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=20)
    headers = {"Content-Type": "application/json"}
    connection.request(method, f"{url.path}{path}", json.dumps(body) if body else None, headers)
    response = connection.getresponse()
    text = response.read()
    if response.status != 200:
        raise SystemExit(f"{method} {path}: {response.status} {text[:500]!r}")
    answer: dict[str, Any] = json.loads(text)
    return answer


def replies(sandbox: str, chat: str) -> list[str]:
    return [message["text"] for message in ask(sandbox, "GET", chat)["messages"] if not message["mine"]]


def main() -> int:
    parser = argparse.ArgumentParser(description="Sends a message on the sandbox's phone, and waits for the reply.")
    parser.add_argument("--sandbox", default="http://127.0.0.1:8800/sandbox")
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    deadline = time.monotonic() + options.seconds
    while True:  # until the sandbox has started
        try:
            ask(options.sandbox, "GET", "/phone/people")
            break
        except OSError as error:
            if time.monotonic() > deadline:
                raise SystemExit(f"The sandbox doesn't answer: {error}") from error
            time.sleep(0.2)
    chat = f"/phone/{NUMBER}/{CUSTOMER}"
    before = len(replies(options.sandbox, chat))
    began = time.monotonic()
    ask(options.sandbox, "POST", f"{chat}/messages", {"kind": "text", "text": "Hello! Are you open today?"})
    while time.monotonic() < deadline:
        for reply in replies(options.sandbox, chat)[before:]:
            print(f"Answered after {time.monotonic() - began:.1f} s: {reply}")
            return 0
        time.sleep(0.2)
    print("No reply came.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
