"""One client connection: the request as it arrives, and the response as the client fetches it. Nothing here blocks."""

import socket
import sys
from tempfile import SpooledTemporaryFile
from typing import IO, cast

from gunicorn.asgi.parser import ParseError, PythonProtocol
from gunicorn.config import Config
from gunicorn.http.body import ChunkedReader
from gunicorn.http.errors import LimitRequestHeaders
from gunicorn.http.message import Request
from gunicorn.http.unreader import IterUnreader

from . import limits

READ = 64 * limits.KB  # bytes at a time
IN_MEMORY = 64 * limits.KB  # of a body or a response; the rest goes to a temporary file
Client = tuple[str, int] | str


class Refused(Exception):
    """The request can't be accepted; the client gets this status."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status, self.detail = status, detail


class ClientSocket(socket.socket):
    """`sendall` never waits for a slow client: what doesn't fit into the kernel's buffer is kept for later.

    After `hold_head`, the first `sendall` only keeps its data, to go out together with the next: gunicorn sends the
    head of a response on its own.
    """

    def __init__(self, accepted: socket.socket) -> None:
        super().__init__(accepted.family, accepted.type, accepted.proto, accepted.detach())
        self.setblocking(False)
        self._unsent: IO[bytes] | None = None
        self.unsent_bytes = 0
        self._holds, self._held = False, b""

    def hold_head(self) -> None:
        self._holds = True

    def flush(self) -> None:
        self._holds = False
        if self._held:
            self.sendall(b"")

    def sendall(self, data: bytes, flags: int = 0) -> None:  # type: ignore[override]
        data = self._held + data
        self._holds, self._held, holds = False, b"", self._holds
        if holds:
            self._held = data
            return
        if self._unsent is None:
            data = data[self._send(data) :]
            if not data:
                return
            self._unsent = SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 - closed by `_forget`
        self._unsent.write(data)
        self.unsent_bytes += len(data)

    def sendfile(self, file: IO[bytes], offset: int = 0, count: int | None = None) -> int:  # type: ignore[override]
        """Static files and downloads; the kernel's sendfile would need a socket that blocks."""
        file.seek(offset)
        left = sys.maxsize if count is None else count
        sent = 0
        while part := file.read(min(READ, left - sent)):
            self.sendall(part)
            sent += len(part)
        return sent

    def resume(self) -> None:
        """Send more of what was kept, now that the client has made room."""
        if self._unsent is None:
            return
        self._unsent.seek(-self.unsent_bytes, 2)
        self.unsent_bytes -= self._send(self._unsent.read(READ))
        if not self.unsent_bytes:
            self._forget()

    def close(self) -> None:
        self._forget()
        super().close()

    def _send(self, data: bytes) -> int:
        try:
            return self.send(data)
        except BlockingIOError:
            return 0

    def _forget(self) -> None:
        if self._unsent is not None:
            self._unsent.close()
        self._unsent, self.unsent_bytes = None, 0


class Connection:
    """`sock`, `client` and `server` are what gunicorn's ThreadWorker expects of a connection."""

    def __init__(self, accepted: socket.socket, client: Client, server: Client) -> None:
        self.sock, self.client, self.server = ClientSocket(accepted), client, server
        self.deadline = 0.0
        self.keep_alive = True
        self.request: Request | None = None
        self._received = bytearray()  # and not yet part of the request
        self.requests = 0
        self._start()

    def _start(self) -> None:
        self._body: IO[bytes] = SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 - closed by `finish` or `close`
        self._limit = 0
        self._size = 0
        self._missing = 0  # of a body whose length is known
        self._chunks: PythonProtocol | None = None
        self._framed = 0
        self._expects_continue = False

    @property
    def has_begun(self) -> bool:
        """Some of a request has arrived."""
        return bool(self._received) or self.request is not None

    @property
    def path(self) -> str:
        return self.request.path if self.request is not None else ""

    def receive(self) -> bool:
        """Whether the client still sends."""
        try:
            data = self.sock.recv(READ)
        except BlockingIOError:
            return True
        except OSError:
            return False
        self._received += data
        return bool(data)

    def read_head(self, cfg: Config) -> bool:
        """Whether the whole head is there. Raises gunicorn's errors for a bad one."""
        end = self._received.find(b"\r\n\r\n") + 4
        if end < 4 or end > limits.HEAD:
            if len(self._received) > limits.HEAD:
                raise LimitRequestHeaders(f"the head is larger than {limits.HEAD} bytes")
            return False
        head = bytes(self._received[:end])
        del self._received[:end]
        self.requests += 1
        self.request = Request(cfg, IterUnreader([head]), self.client, self.requests)
        # Answered when the body is accepted, not when the application runs.
        self._expects_continue, self.request._expected_100_continue = self.request._expected_100_continue, False
        if isinstance(self.request.body.reader, ChunkedReader):
            self._chunks = PythonProtocol(on_body=self._store)
            self._chunks.feed(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        else:
            self._missing = self.request.body.reader.length
        return True

    @property
    def length(self) -> int:
        """The body's length, if it's known before the body has arrived."""
        return self._size + self._missing

    def accept_body(self, limit: int) -> None:
        """Let the client send a body of up to this size. Raises Refused for one that's known to be larger."""
        self._limit = limit
        self._refuse_larger(self.length)
        if self._expects_continue:
            self.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")

    def read_body(self) -> bool:
        """Whether the whole body is there. Raises Refused for one that's too large, or not well-formed."""
        if self._chunks is None:
            part = bytes(self._received[: self._missing])
            del self._received[: len(part)]
            self._missing -= len(part)
            self._store(part)
            return not self._missing
        self._framed += len(self._received)
        try:
            self._chunks.feed(self._received)
        except ParseError as error:
            raise Refused(400, f"The chunked body is malformed: {error}") from error
        self._received = bytearray(self._chunks.remaining())
        if self._framed - self._size > self._size / 8 + limits.FRAMING:
            raise Refused(400, "The chunks of the body are too small.")
        return bool(self._chunks.is_complete)

    def complete(self) -> None:
        """Hand the body to the request, with its length: WSGI applications read no further than that."""
        request = cast(Request, self.request)
        self.sock.hold_head()
        self._body.seek(0)
        request.body = self._body
        if self._chunks is not None:
            headers = [header for header in request.headers if header[0] != "TRANSFER-ENCODING"]
            request.headers = [*headers, ("CONTENT-LENGTH", str(self._size))]

    def finish(self) -> None:
        """Make ready for the next request."""
        self._body.close()
        self.request = None
        self._start()

    def close(self) -> None:
        self._body.close()
        self.sock.close()

    def _store(self, part: bytes) -> None:
        self._size += len(part)
        self._refuse_larger(self._size)
        self._body.write(part)

    def _refuse_larger(self, size: int) -> None:
        if size > self._limit:
            raise Refused(413, f"The body is larger than {self._limit // limits.MB} MB.")
