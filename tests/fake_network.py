"""A fake network: requests to other machines end here, as raw bytes.

aiohttp, its parsers and our checks of addresses are real; names, sockets and TLS aren't. Requests to this machine
aren't intercepted. Handlers speak httpx2's types: they get its requests, and return its responses or raise its
exceptions, each of which breaks the connection in the way its name says.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

import aiohttp
import httpx2
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler

Handler = Callable[[httpx2.Request], httpx2.Response | Awaitable[httpx2.Response]]
MODEL_PATHS = ("chat/completions", "audio/transcriptions", "embeddings")
SOMEWHERE = "93.184.216.34"
NOT_CONNECTED = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError)


async def nothing(request: httpx2.Request) -> httpx2.Response:
    raise AssertionError(f"The test expects no request to {request.url}.")


@dataclass
class FakeNetwork:
    """Replace `model` and `graph` to answer, and `addresses` to say where a name leads."""

    model: Handler = nothing
    graph: Handler = nothing
    addresses: Callable[[str], list[str]] = lambda host: [SOMEWHERE]
    looked_up: list[str] = field(default_factory=list)
    connected: list[tuple[str, str]] = field(default_factory=list)  # name, address
    away: set[str] = field(default_factory=set)  # addresses where no one answers

    def handler(self, url: httpx2.URL) -> Handler:
        return self.model if any(path in str(url) for path in MODEL_PATHS) else self.graph


class FakeResolver(AbstractResolver):
    def __init__(self, network: FakeNetwork) -> None:
        self.network = network

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
        self.network.looked_up.append(host)
        found = self.network.addresses(host)
        if not found:
            raise OSError(-2, "Name or service not known")
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0) for address in found
        ]

    async def close(self) -> None:
        """Nothing to close."""


class FakeConnector(aiohttp.TCPConnector):
    network: FakeNetwork

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, resolver=FakeResolver(self.network), use_dns_cache=False)

    async def _wrap_create_connection(
        self, *args: Any, addr_infos: list[Any], req: Any, client_error: Any = aiohttp.ClientConnectorError, **more: Any
    ) -> Any:
        if all(ip_address(info[4][0]).is_loopback for info in addr_infos):
            return await super()._wrap_create_connection(
                *args, addr_infos=addr_infos, req=req, client_error=client_error, **more
            )
        try:
            address = self._first(addr_infos)
        except OSError as error:
            raise client_error(req.connection_key, error) from error
        self.network.connected.append((req.url.host, address))
        protocol: ResponseHandler = args[0]()
        transport = FakeTransport(self.network, req, protocol)
        protocol.connection_made(transport)
        return transport, protocol

    def _first(self, addr_infos: list[Any]) -> str:
        """The first address that may be connected to, and where somebody answers."""
        failed = OSError("nowhere")
        for info in addr_infos:
            address = str(info[4][0])
            try:
                if self._socket_factory:
                    self._socket_factory(info).close()
            except OSError as error:
                failed = error
                continue
            if address not in self.network.away:
                return address
            failed = ConnectionRefusedError(111, "Connection refused")
        raise failed


class FakeTransport(asyncio.Transport):
    """A connection: what is written is read as requests, and answered one after the other."""

    def __init__(self, network: FakeNetwork, req: Any, protocol: ResponseHandler) -> None:
        super().__init__()
        self.network, self.protocol, self.key = network, protocol, req.connection_key
        self.scheme = req.url.scheme
        self.written = b""
        self.closing = False
        self.readable = asyncio.Event()
        self.readable.set()
        self.answering: asyncio.Task[None] | None = None

    def write(self, data: Any) -> None:
        self.written += bytes(data)
        if (request := self._whole()) is not None:
            self.written = b""
            self.answering = asyncio.get_running_loop().create_task(self._answer(request))

    def writelines(self, chunks: Any) -> None:
        self.write(b"".join(chunks))

    def _whole(self) -> httpx2.Request | None:
        head, separator, body = self.written.partition(b"\r\n\r\n")
        if not separator:
            return None
        line, *lines = head.split(b"\r\n")
        pairs = (one.partition(b": ") for one in lines)
        headers = httpx2.Headers([(name, value) for name, _, value in pairs])
        if len(body) < int(headers.get("Content-Length", "0")):
            return None
        assert "Transfer-Encoding" not in headers, "a request should say how long it is"
        method, path, _ = line.decode().split(" ")
        url = f"{self.scheme}://{headers['Host']}{path}"
        return httpx2.Request(method, url, headers=headers, content=body)

    async def _answer(self, request: httpx2.Request) -> None:
        try:
            answer = self.network.handler(request.url)(request)
            await self._send(await answer if inspect.isawaitable(answer) else answer)
        except Exception as error:  # noqa: BLE001 - whatever a handler raises breaks the connection
            await self._break(error)

    async def _send(self, response: httpx2.Response) -> None:
        headers = response.headers.copy()
        whole = isinstance(response.stream, httpx2.ByteStream)
        if whole:
            headers["Content-Length"] = headers.get("Content-Length", str(len(response.content)))
        elif "Content-Length" not in headers:
            headers["Transfer-Encoding"] = "chunked"
        lines = [f"HTTP/1.1 {response.status_code} {response.reason_phrase}".encode()]
        lines += [name + b": " + value for name, value in headers.raw]
        self._receive(b"\r\n".join(lines) + b"\r\n\r\n" + (response.content if whole else b""))
        if not whole:
            await self._send_chunks(response.stream, chunked="Transfer-Encoding" in headers)

    async def _send_chunks(self, stream: Any, chunked: bool) -> None:
        async for chunk in stream:
            await self.readable.wait()
            await asyncio.sleep(0)
            self._receive(b"%x\r\n%b\r\n" % (len(chunk), chunk) if chunked and chunk else chunk)
        if chunked:
            self._receive(b"0\r\n\r\n")

    async def _break(self, error: Exception) -> None:
        if isinstance(error, NOT_CONNECTED):
            refused = ConnectionRefusedError(111, "Connection refused")
            self.protocol.set_exception(aiohttp.ClientConnectorError(self.key, refused))
        elif isinstance(error, httpx2.TimeoutException):
            self.protocol.set_exception(aiohttp.SocketTimeoutError("slow"))
        elif isinstance(error, httpx2.DecodingError):
            self._receive(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nno!")
        elif isinstance(error, httpx2.TransportError):
            self._lose(None if isinstance(error, httpx2.RemoteProtocolError) else ConnectionResetError(104, "reset"))
        else:
            self.protocol.set_exception(error)

    def _receive(self, data: bytes) -> None:
        if data and not self.closing:
            self.protocol.data_received(data)

    def _lose(self, error: Exception | None) -> None:
        if not self.closing:
            self.closing = True
            self.protocol.connection_lost(error)

    def close(self) -> None:
        if not self.closing:
            self.closing = True
            if self.answering:
                self.answering.cancel()
            asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)

    abort = close

    def is_closing(self) -> bool:
        return self.closing

    def is_reading(self) -> bool:
        return self.readable.is_set()

    def pause_reading(self) -> None:
        self.readable.clear()

    def resume_reading(self) -> None:
        self.readable.set()

    def get_write_buffer_size(self) -> int:
        return 0


@pytest.fixture
def network() -> Iterator[FakeNetwork]:
    """Nothing leaves this machine: the test answers all requests."""
    FakeConnector.network = FakeNetwork()
    # Not the test's own monkeypatch, which it may undo.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aiohttp, "TCPConnector", FakeConnector)
        yield FakeConnector.network
