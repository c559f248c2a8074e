"""The openai client's way to the network: our pooled HTTP client.

Not the client's own `DefaultAioHttpClient`: it reports a connection that was lost after the request as one that was
never made, follows a 307 and posts again, keeps cookies from one tenant to the next, and reads a response of any size.
"""

from typing import cast

import httpx2

from runtime import http

# httpx2 decodes by these what is decoded already.
_DECODED = {"content-encoding", "content-length", "transfer-encoding"}


class PooledTransport(httpx2.AsyncBaseTransport):
    """Raises http.RequestFailed, which the openai client lets through."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        limits = request.extensions["timeout"]
        # What is decoded is up to the client that sends it.
        headers = {name: value for name, value in request.headers.items() if name != "accept-encoding"}
        body = request.content if isinstance(request.stream, httpx2.ByteStream) else request.stream
        answer = await http.request(
            request.method,
            # An endpoint's user name and password are in the header already.
            str(request.url.copy_with(userinfo=b"") if request.url.userinfo else request.url),
            seconds=limits["read"],
            connect_seconds=limits["connect"],
            headers=headers,
            data=cast("bytes | httpx2.AsyncByteStream", body),  # what an asynchronous client makes
        )
        kept = [(name, value) for name, value in answer.headers.items() if name.lower() not in _DECODED]
        return httpx2.Response(answer.status, headers=kept, content=answer.body, request=request)


# No redirects: a 307 would post the request again. No environment: our client knows the proxies.
HTTP = httpx2.AsyncClient(transport=PooledTransport(), follow_redirects=False, trust_env=False)
