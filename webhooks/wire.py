"""Sends one webhook over the network."""

import asyncio
import contextlib
from dataclasses import dataclass

from django.conf import settings

from runtime import http
from runtime.public_addresses import flaw
from runtime.untrusted_json import words_in

READ_AT_MOST = 2000  # of a response, in bytes
SHOWN_AT_MOST = 300  # of a rejection's body, in characters
UNREACHABLE = "Can't connect. The URL must be reachable from the internet."
CERTIFICATE_ERRORS = ("ClientConnectorCertificateError", "ClientConnectorSSLError")


@dataclass(frozen=True, slots=True)
class Answer:
    """The response. `code` is None if there was none."""

    code: int | None
    error: str = ""

    @property
    def is_good(self) -> bool:
        return self.code is not None and 200 <= self.code < 300


async def post(url: str, body: bytes, headers: dict[str, str]) -> Answer:
    """Post and return the response. Never raises, whatever the receiver does."""
    if problem := flaw(url):
        return Answer(None, problem)
    headers = {**headers, "Accept-Encoding": "identity"}
    try:
        async with (
            asyncio.timeout(settings.WEBHOOK_SECONDS),
            http.stream("POST", url, pinned=True, headers=headers, data=body) as response,
        ):
            return await _judge(response)
    except TimeoutError:
        return Answer(None, f"No complete response within {settings.WEBHOOK_SECONDS:g} seconds.")
    except http.RequestFailed as failure:
        return Answer(None, _in_words(failure)[:SHOWN_AT_MOST])


def _in_words(failure: http.RequestFailed) -> str:
    """For the business, who mustn't learn which names exist in our own network, or where they lead."""
    if not failure.before_a_byte:
        return f"The connection was lost: {failure.detail}"
    # A certificate is only looked at once a public address has been connected to.
    if failure.kind is http.Kind.BAD_REQUEST or failure.detail.startswith(CERTIFICATE_ERRORS):
        return f"No connection: {failure.detail}"
    return UNREACHABLE


async def _judge(response: http.OpenResponse) -> Answer:
    code = response.status
    if 200 <= code < 300:
        return Answer(code)
    if 300 <= code < 400:
        return Answer(code, "Redirects aren't followed. Enter the final URL.")
    return Answer(code, words_in(await _beginning(response), SHOWN_AT_MOST))


async def _beginning(response: http.OpenResponse) -> str:
    """The beginning of the body, or what arrived of one that breaks off: the code says enough."""
    read = b""
    with contextlib.suppress(http.RequestFailed):
        async for chunk in response.chunks():
            read += chunk
            if len(read) >= READ_AT_MOST:
                break
    return read[:READ_AT_MOST].decode(errors="replace")
