"""Connects the openai client to our pooled HTTP client.

Not the client's own `DefaultAioHttpClient`: it reports a connection lost after the request as one that was never made,
reposts on a 307, shares cookies between tenants, and reads responses of any size.
"""

from typing import cast

import httpx2

from runtime import http

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
            # The URL's user name and password are already in a header.
            str(request.url.copy_with(userinfo=b"") if request.url.userinfo else request.url),
            seconds=limits["read"],
            connect_seconds=limits["connect"],
            headers=headers,
            data=cast("bytes | httpx2.AsyncByteStream", body),  # what an asynchronous client produces
        )
        kept = [(name, value) for name, value in answer.headers.items() if name.lower() not in _DECODED]
        return httpx2.Response(answer.status, headers=kept, content=answer.body, request=request)


# No redirects: a 307 would post the request again. No environment: our client knows the proxies.
HTTP = httpx2.AsyncClient(transport=PooledTransport(), follow_redirects=False, trust_env=False)
