"""A proxy in front of PostgreSQL that counts the statements passing through it, from any client and in any form.

It reads the messages of the protocol (https://www.postgresql.org/docs/current/protocol-message-formats.html): which
statements are executed, and how many rows each one affected. TLS has to be off.
"""

import asyncio
import contextlib
import re
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

VALUES = re.compile(r"'(?:[^']|'')*'|\d+")
LISTS = re.compile(r"\?(?:, \?)+")
SYNC = ""  # marks the end of a sequence of messages, where PostgreSQL becomes ready again


@dataclass(frozen=True)
class Executed:
    """One execution of a statement, and the number of rows it affected."""

    session: int
    statement: str
    rows: int


@dataclass
class Session:
    """One connection: what was prepared and bound, and what PostgreSQL hasn't answered yet."""

    executed: list[Executed]
    prepared: dict[bytes, str] = field(default_factory=dict)
    portals: dict[bytes, str] = field(default_factory=dict)
    pending: deque[tuple[bytes, str]] = field(default_factory=deque)

    def from_client(self, kind: bytes, body: bytes) -> None:
        first, _, rest = body.partition(b"\0")
        match kind:
            case b"P":
                self.prepared[first] = _text(rest)
            case b"B":
                self.portals[first] = self.prepared.get(rest.partition(b"\0")[0], "?")
            case b"E":
                self.pending.append((kind, self.portals.get(first, "?")))
            case b"Q":
                self.pending.append((kind, _text(body)))
            case b"S":
                self.pending.append((kind, SYNC))

    def from_server(self, kind: bytes, body: bytes) -> None:
        match kind:
            case b"C" if self.pending:
                how, statement = self.pending[0]
                rows = body.rstrip(b"\0").rpartition(b" ")[2]
                self.executed.append(Executed(id(self), statement, int(rows) if rows.isdigit() else 0))
                if how == b"E":
                    self.pending.popleft()
            case b"Z":  # ready: a simple query or a sequence has ended; after an error, its rest was skipped
                while self.pending and self.pending.popleft()[0] == b"E":
                    pass


@contextlib.contextmanager
def counting(port: int, host: str, database_port: str) -> Iterator[list[Executed]]:
    """Serve on `port` while the block runs, for the database at `host` (a name, or the folder of its socket)."""
    executed: list[Executed] = []
    loop, ready = asyncio.new_event_loop(), threading.Event()

    async def serve() -> None:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await _relay(reader, writer, Session(executed), host, database_port)

        async with await asyncio.start_server(connected, "127.0.0.1", port):
            ready.set()
            await stop.wait()

    stop = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=[serve()])
    thread.start()
    try:
        if not ready.wait(10):
            raise SystemExit(f"the counting proxy can't serve on port {port}")
        yield executed
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


async def _relay(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, session: Session, host: str, port: str
) -> None:
    opening = (
        asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        if host.startswith("/")
        else asyncio.open_connection(host or "127.0.0.1", int(port))
    )
    server_reader, server_writer = await opening
    size = await reader.readexactly(4)  # the first message has no kind
    server_writer.write(size + await reader.readexactly(int.from_bytes(size, "big") - 4))
    directions = [
        asyncio.ensure_future(_copy(reader, server_writer, session.from_client)),
        asyncio.ensure_future(_copy(server_reader, writer, session.from_server)),
    ]
    await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
    for direction in directions:
        direction.cancel()
    server_writer.close()
    writer.close()


async def _copy(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seen: Callable[[bytes, bytes], None]
) -> None:
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            kind, size = await reader.readexactly(1), await reader.readexactly(4)
            body = await reader.readexactly(int.from_bytes(size, "big") - 4)
            seen(kind, body)
            writer.write(kind + size + body)
            await writer.drain()


def _text(body: bytes) -> str:
    """The statement without its values, so that executions with different ones are the same statement."""
    text = " ".join(body.partition(b"\0")[0].decode(errors="replace").split())
    return LISTS.sub("?, …", VALUES.sub("?", text))
