"""One webhook over the network: the one function that touches it."""

import asyncio
import functools
import ssl
from dataclasses import dataclass

import httpx2
from django.conf import settings

from runtime import public_addresses

READ_AT_MOST = 2000  # bytes of an answer
SHOWN_AT_MOST = 300  # characters of it, where it is a refusal
ADDRESSES_TRIED = 3

_transports: list[httpx2.AsyncBaseTransport] = []


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `code` None: nothing did."""

    code: int | None
    error: str = ""

    @property
    def is_good(self) -> bool:
        return self.code is not None and 200 <= self.code < 300


def set_transport(transport: httpx2.AsyncBaseTransport | None) -> None:
    """Send through `transport` from now on (tests); None: through the network."""
    _transports[:] = [transport] if transport else []


async def post(url: str, body: bytes, headers: dict[str, str]) -> Answer:
    """Post and learn the answer; never raises for what the other side does or is."""
    try:
        async with asyncio.timeout(settings.WEBHOOK_SECONDS):
            return await _post_somewhere(httpx2.URL(url), body, headers)
    except public_addresses.Refused as refused:
        return Answer(None, str(refused))
    except TimeoutError:
        return Answer(None, f"No whole answer within {settings.WEBHOOK_SECONDS:g} seconds.")
    except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError, ValueError) as error:
        return Answer(None, f"{type(error).__name__}: {error}"[:SHOWN_AT_MOST])


async def _post_somewhere(url: httpx2.URL, body: bytes, headers: dict[str, str]) -> Answer:
    if problem := public_addresses.flaw(str(url)):
        raise public_addresses.Refused(problem)
    port = url.port or (443 if url.scheme == "https" else 80)
    *others, last = (await public_addresses.allowed(url.host, port))[:ADDRESSES_TRIED]
    for address in others:
        try:
            return await _post(url, address, body, headers)
        except httpx2.ConnectError:
            continue
    return await _post(url, last, body, headers)


async def _post(url: httpx2.URL, address: str, body: bytes, headers: dict[str, str]) -> Answer:
    """To this address, under the name of the URL: in the header Host and in the certificate."""
    # A client for each: a pooled connection of another name at the same address would be taken for this one. No
    # proxy of the environment: it would resolve the name once more.
    async with httpx2.AsyncClient(
        verify=_certificates(),
        trust_env=False,
        follow_redirects=False,
        timeout=settings.WEBHOOK_SECONDS,
        transport=_transports[0] if _transports else None,
    ) as client:
        request = client.build_request(
            "POST",
            url.copy_with(host=address),
            content=body,
            headers={**headers, "Host": url.netloc.decode(), "Accept-Encoding": "identity"},
            extensions={"sni_hostname": url.host},
        )
        response = await client.send(request, stream=True)
        try:
            return await _judge(response)
        finally:
            await response.aclose()


async def _beginning(response: httpx2.Response) -> str:
    read = b""
    async for piece in response.aiter_raw():
        read += piece
        if len(read) >= READ_AT_MOST:
            break
    return read[:READ_AT_MOST].decode(errors="replace").replace("\x00", "")


async def _judge(response: httpx2.Response) -> Answer:
    code = response.status_code
    if 200 <= code < 300:
        return Answer(code)
    if 300 <= code < 400:
        return Answer(code, "A redirect is not followed: enter the address that it leads to.")
    return Answer(code, " ".join((await _beginning(response)).split())[:SHOWN_AT_MOST])


@functools.cache
def _certificates() -> ssl.SSLContext:
    return httpx2.create_ssl_context(trust_env=False)
