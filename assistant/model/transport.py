"""The openai client, on our pooled HTTP client.

Not on its own `DefaultAioHttpClient`: that reports a connection lost after the request as one that was never made,
reposts on a 307, shares cookies between tenants, and reads responses of any size.
"""

import base64
import functools
from collections.abc import Awaitable, Callable, Mapping
from typing import IO, cast
from urllib.parse import parse_qsl, unquote, urlsplit

import httpx2
import openai
from django.conf import settings

from runtime import http
from runtime.untrusted_json import Json

CHAT = "/chat/completions"

# httpx2 would use these to decode what is already decoded.
_DECODED = {"content-encoding", "content-length", "transfer-encoding"}


class PooledTransport(httpx2.AsyncBaseTransport):
    """Raises http.RequestFailed, which passes through the openai client."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        limits = request.extensions["timeout"]
        # The sending client decides which encodings it accepts.
        headers = {name: value for name, value in request.headers.items() if name != "accept-encoding"}
        body = request.content if isinstance(request.stream, httpx2.ByteStream) else request.stream
        answer = await http.request(
            request.method,
            str(request.url),
            seconds=limits["read"],
            connect_seconds=limits["connect"],
            headers=headers,
            data=cast("bytes | httpx2.AsyncByteStream", body),  # what an asynchronous client produces
        )
        kept = [(name, value) for name, value in answer.headers.items() if name.lower() not in _DECODED]
        return httpx2.Response(answer.status, headers=kept, content=answer.body, request=request)


# No redirects: a 307 would post the request again. No environment: our client knows the proxies.
HTTP = httpx2.AsyncClient(transport=PooledTransport(), follow_redirects=False, trust_env=False)

File = tuple[str, IO[bytes], str]  # name, content, content type


async def post(
    key: str, endpoint: str, path: str, body: Json, seconds: float, files: Mapping[str, File] | None = None
) -> http.Response:
    """The response as the service sent it, whatever its status.

    Raises http.RequestFailed, or ValueError if the endpoint isn't a URL.
    """
    send = functools.partial(_client(key, endpoint).post, path, cast_to=httpx2.Response, body=body, files=files)
    return await _response(send, endpoint, seconds, {"Content-Type": "multipart/form-data"} if files else {})


async def list_models(key: str, endpoint: str, seconds: float) -> http.Response:
    """As `post`: which models there are."""
    send = functools.partial(_client(key, endpoint).get, "/models", cast_to=httpx2.Response)
    return await _response(send, endpoint, seconds, {})


async def _response(
    send: Callable[..., Awaitable[httpx2.Response]],
    endpoint: str,
    seconds: float,
    headers: Mapping[str, str | openai.Omit],
) -> http.Response:
    """The openai client's own reading of responses trusts their types, and loses the words of many refusals."""
    # The client insists that a request omits the header.
    omitted = {"Authorization": openai.Omit()} if _is_azure(endpoint) else {}
    limits = httpx2.Timeout(seconds, connect=settings.MODEL_CONNECT_SECONDS)
    try:
        response = await send(options={"headers": {**headers, **omitted}, "timeout": limits})
    except openai.APIStatusError as refusal:
        response = refusal.response
    return http.Response(response.status_code, response.headers, response.content)


def _is_azure(endpoint: str) -> bool:
    """Azure names the API's version in the query, and takes the key in a header of its own."""
    url = urlsplit(endpoint)
    return "api-version=" in url.query and not url.username


@functools.lru_cache(maxsize=256)
def _client(key: str, endpoint: str) -> openai.AsyncOpenAI:
    """One client per key and endpoint. Clients don't own connections, so evicting one closes nothing.

    Raises ValueError if the endpoint isn't a URL.
    """
    # A base URL may contain a user and a password, and Azure's end in ?api-version=.
    url = urlsplit(endpoint)
    headers = {"api-key": key} if _is_azure(endpoint) else {}
    if url.username:
        credentials = f"{unquote(url.username)}:{unquote(url.password or '')}"
        headers = {"Authorization": f"Basic {base64.b64encode(credentials.encode()).decode()}"}
    plain = url._replace(netloc=url.netloc.rpartition("@")[2], path=url.path.rstrip("/").removesuffix(CHAT), query="")
    client = openai.AsyncOpenAI(
        api_key=key,
        base_url=plain._replace(fragment="").geturl(),
        default_headers=headers,
        default_query=dict(parse_qsl(url.query, keep_blank_values=True)),
        http_client=HTTP,
        max_retries=0,
    )
    # The client would read these from the environment. They belong to the installation, and no tenant's endpoint may
    # see them.
    client.organization = client.project = client.admin_api_key = None
    return client
