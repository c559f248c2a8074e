"""A proxy in front of PostgreSQL that drops a connection at a statement: the response, or the statement itself."""

import asyncio
import threading
from dataclasses import dataclass, field

from .postgres import Database
from .wire import Wire


@dataclass
class Severed:
    """`url` goes through the proxy. The first connection that sends `after` and then `at` is cut there.

    forward: whether the server still gets that statement. Its response is lost either way.
    """

    wire: Wire  # provides the event loop
    database: Database
    after: bytes
    at: bytes = b"COMMIT"
    forward: bool = True
    happened: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        port = self.wire.listen(self._serve)
        self.url = f"postgres://postgres@127.0.0.1:{port}/{self.database.name}?sslmode=disable"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind, ahead = await asyncio.open_unix_connection(self.database.postgres.socket)
        back = asyncio.ensure_future(_copy(behind, writer))
        try:
            await self._relay(reader, ahead, back)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            back.cancel()
            writer.close()
            ahead.close()

    async def _relay(
        self, reader: asyncio.StreamReader, ahead: asyncio.StreamWriter, back: "asyncio.Future[None]"
    ) -> None:
        seen = False
        while data := await reader.read(65536):
            seen = seen or self.after in data
            if seen and self.at in data and not self.happened.is_set():
                self.happened.set()
                back.cancel()  # discard the server's response
                if self.forward:
                    ahead.write(data)
                    await ahead.drain()
                    await asyncio.sleep(0.5)  # let the server finish before it notices the disconnect
                return
            ahead.write(data)
            await ahead.drain()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
