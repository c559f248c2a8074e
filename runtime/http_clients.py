"""One pooled HTTP client for each event loop, for all calls this process makes to one outside service."""

import asyncio
import email.utils
import math
import time
from collections.abc import Mapping
from weakref import WeakKeyDictionary

import httpx2

# No limit: the worker's places are the limit, and a service that hangs for one tenant must not use up the
# connections of the others. Idle ones are given up early, see `whatsapp/graph/client.py`.
LIMITS = httpx2.Limits(max_connections=None, max_keepalive_connections=100, keepalive_expiry=4)


class LoopClients:
    """The clients by loop: a pool's sockets belong to the loop that opened them and fail in any other."""

    def __init__(self) -> None:
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, httpx2.AsyncClient] = WeakKeyDictionary()
        self._transport: httpx2.AsyncBaseTransport | None = None

    def set_transport(self, transport: httpx2.AsyncBaseTransport | None) -> None:
        """Send through `transport` from now on (tests); None: through the network."""
        self._transport = transport
        self._clients.clear()

    def current(self) -> httpx2.AsyncClient:
        """The client of the running loop."""
        loop = asyncio.get_running_loop()
        if loop not in self._clients:
            self._forget_closed_loops()
            self._clients[loop] = httpx2.AsyncClient(limits=LIMITS, transport=self._transport)
        return self._clients[loop]

    async def close(self) -> None:
        """Close the running loop's connections; the next call opens new ones."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.aclose()

    def _forget_closed_loops(self) -> None:
        for loop in list(self._clients):
            if loop.is_closed():
                del self._clients[loop]


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that `Retry-After` (seconds or a date) or OpenAI's `retry-after-ms` asks for, if it can be read."""
    for name, divisor in (("retry-after-ms", 1000), ("retry-after", 1)):
        try:
            seconds = float(headers[name]) / divisor
        except (KeyError, ValueError):
            continue
        return max(0.0, seconds) if math.isfinite(seconds) else None
    try:
        date = email.utils.parsedate_to_datetime(headers["retry-after"])
    except (KeyError, ValueError):
        return None
    return max(0.0, date.timestamp() - time.time())
