"""The requests to Graph on the wire, and how the responses are read."""

import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from asgiref.sync import async_to_sync
from pytest_django import Settings

from whatsapp.graph import client
from whatsapp.graph.client import GraphError

from .conftest import TOKEN
from .fake_graph import WAMID, FakeGraph, accepted, outbound, refused

Fake = Callable[..., FakeGraph]
MESSAGES = "https://graph.test/v24.0/106540352242922/messages"
send = async_to_sync(client.send)
show_typing = async_to_sync(client.show_typing)
get = async_to_sync(client.get)


def failure(fake_graph: Fake, answer: httpx2.Response | Exception) -> GraphError:
    fake_graph(answer)
    with pytest.raises(GraphError) as failed:
        send(outbound(), TOKEN)
    return failed.value


def test_it_posts_a_text_and_returns_its_wamid(fake_graph: Fake) -> None:
    fake = fake_graph(accepted())
    assert send(outbound(), TOKEN) == WAMID
    request = fake.requests[0]
    assert (request.method, str(request.url)) == ("POST", MESSAGES)
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert request.headers["content-type"] == "application/json"
    assert fake.body() == {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": "79001234567",
        "type": "text",
        "text": {"body": "We are open until six.", "preview_url": False},
        "biz_opaque_callback_data": "41",
    }


def test_it_writes_to_a_user_id_in_its_own_field(fake_graph: Fake) -> None:
    fake = fake_graph(accepted())
    send(outbound(phone=None, user_id="RU.1000200030004000"), TOKEN)
    assert fake.body()["recipient"] == "RU.1000200030004000"
    assert "to" not in fake.body()


def test_it_writes_to_the_phone_number_where_it_is_known(fake_graph: Fake) -> None:
    fake = fake_graph(accepted())
    send(outbound(user_id="RU.1000200030004000"), TOKEN)
    assert fake.body()["to"] == "79001234567"
    assert "recipient" not in fake.body()


def test_it_quotes_the_message_it_answers(fake_graph: Fake) -> None:
    fake = fake_graph(accepted())
    send(outbound(reply_to="wamid.asked"), TOKEN)
    assert fake.body()["context"] == {"message_id": "wamid.asked"}


def test_it_sends_any_text_as_it_is(fake_graph: Fake) -> None:
    fake = fake_graph(accepted())
    text = "Привет 👋 \u202eעברית\n\n*bold* https://example.test"
    send(outbound(text=text), TOKEN)
    assert fake.body()["text"]["body"] == text


def test_it_marks_a_message_as_read_and_shows_typing(fake_graph: Fake) -> None:
    fake = fake_graph(httpx2.Response(200, json={"success": True}))
    show_typing("106540352242922", "wamid.asked", TOKEN)
    assert str(fake.requests[0].url) == MESSAGES
    assert fake.body() == {
        "messaging_product": "whatsapp",
        "status": "read",
        "message_id": "wamid.asked",
        "typing_indicator": {"type": "text"},
    }


def test_it_reads_a_node(fake_graph: Fake) -> None:
    fake = fake_graph(httpx2.Response(200, json={"id": "1", "quality_rating": "GREEN"}))
    assert get("106540352242922", TOKEN, fields="quality_rating") == {"id": "1", "quality_rating": "GREEN"}
    request = fake.requests[0]
    assert (request.method, str(request.url)) == (
        "GET",
        "https://graph.test/v24.0/106540352242922?fields=quality_rating",
    )
    assert request.headers["authorization"] == f"Bearer {TOKEN}"


def test_it_sends_each_request_with_its_own_token(fake_graph: Fake) -> None:
    fake = fake_graph(accepted())
    send(outbound(), "EAAone")
    send(outbound(), "EAAtwo")
    assert [request.headers["authorization"] for request in fake.requests] == ["Bearer EAAone", "Bearer EAAtwo"]


def test_it_reads_metas_error(fake_graph: Fake) -> None:
    error = failure(fake_graph, refused(130429, 429, "Too many messages.", {"retry-after": "7"}))
    assert (error.code, error.http_status) == (130429, 429)
    assert (error.message, error.retry_after) == ("Too many messages.", 7)
    assert (error.uncertain, error.before_a_byte) == (False, False)


@pytest.mark.parametrize(
    ("parts", "code", "message"),
    [
        ({"error_data": None}, 190, "(#190) The title"),
        ({"error_data": "text", "message": None}, 190, "text"),
        ({"error_data": None, "message": None}, 190, "no reason given"),
        ({"code": "190"}, 190, "The details."),
        ({"code": None}, None, "The details."),
        ({"code": "expired"}, None, "The details."),
        ({"code": 10**20}, None, "The details."),
        ({"code": [190]}, None, "The details."),
    ],
)
def test_it_reads_an_error_of_another_shape(
    fake_graph: Fake, parts: dict[str, Any], code: int | None, message: str
) -> None:
    error = failure(fake_graph, refused(190, 401, **parts))
    assert (error.code, error.message, error.uncertain) == (code, message, False)


def test_it_recognizes_an_error_in_a_200(fake_graph: Fake) -> None:
    error = failure(fake_graph, refused(131047, 200))
    assert (error.code, error.uncertain) == (131047, False)


@pytest.mark.parametrize(
    "answer",
    [
        httpx2.Response(500),
        httpx2.Response(502, html="<html><h1>502 Bad Gateway</h1></html>"),
        httpx2.Response(503, text="x", headers={"content-type": "application/json"}),
        httpx2.Response(504, json=["not", "Meta's"]),
        httpx2.Response(500, json={"error": "not Meta's"}),
        httpx2.Response(200, html="<h1>Welcome</h1>"),
        httpx2.Response(200, content=b'{"messages": [{"id": "wam', headers={"content-type": "application/json"}),
        httpx2.Response(200, content=b"\xff"),
        httpx2.Response(200, content=b"[" * 200_000),
        httpx2.Response(204),
        httpx2.Response(200, json={}),
        httpx2.Response(200, json={"messages": []}),
        httpx2.Response(200, json={"messages": None}),
        httpx2.Response(200, json={"messages": [None, "wamid.x"]}),
        httpx2.Response(200, json={"success": True}),
    ],
)
def test_it_does_not_claim_to_know_what_an_unreadable_answer_means(fake_graph: Fake, answer: httpx2.Response) -> None:
    assert failure(fake_graph, answer).uncertain is True


@pytest.mark.parametrize("status", [301, 400, 404, 413, 429])
def test_a_proxys_refusal_counts_as_one(fake_graph: Fake, status: int) -> None:
    error = failure(fake_graph, httpx2.Response(status, html="<h1>No</h1>"))
    assert (error.uncertain, error.code, error.http_status) == (False, None, status)


@pytest.mark.parametrize(
    ("broken", "before_a_byte"),
    [
        (httpx2.ConnectError("refused"), True),
        (httpx2.ConnectTimeout("slow"), True),
        (httpx2.PoolTimeout("full"), True),
        (httpx2.ProxyError("no tunnel"), True),
        (httpx2.ReadTimeout("slow"), False),
        (httpx2.WriteTimeout("slow"), False),
        (httpx2.ReadError("reset"), False),
        (httpx2.WriteError("reset"), False),
        (httpx2.RemoteProtocolError("hung up"), False),
        (httpx2.DecodingError("not gzip"), False),
        (RuntimeError("never seen"), False),
    ],
)
def test_it_tells_whether_a_byte_went_out(fake_graph: Fake, broken: Exception, before_a_byte: bool) -> None:
    error = failure(fake_graph, broken)
    assert (error.before_a_byte, error.uncertain) == (before_a_byte, not before_a_byte)


@pytest.mark.parametrize("token", ["EAA\nnewline", "EAAключ"])
def test_it_sends_nothing_with_a_token_that_is_invalid_in_a_header(fake_graph: Fake, token: str) -> None:
    fake_graph(httpx2.LocalProtocolError(f"Illegal header value 'Bearer {token}'"))
    with pytest.raises(GraphError) as failed:
        send(outbound(), token)
    assert failed.value.before_a_byte is True
    assert token not in str(failed.value)


@pytest.mark.parametrize("url", ["", "ftp://graph.test", "https://graph.test:port"])
def test_it_sends_nothing_to_an_invalid_url(fake_graph: Fake, graph_settings: Settings, url: str) -> None:
    graph_settings.WHATSAPP_GRAPH_URL = url
    fake_graph(httpx2.UnsupportedProtocol("what?"))
    with pytest.raises(GraphError) as failed:
        send(outbound(), TOKEN)
    assert failed.value.before_a_byte is True


@pytest.mark.parametrize("quoted", [TOKEN, "EAAGm0PX4ZCpsBAOZBZC9"])
def test_it_never_repeats_a_token(fake_graph: Fake, quoted: str) -> None:
    error = failure(fake_graph, refused(190, 401, f"Malformed access token {quoted}!"))
    assert "EAA" not in f"{error} {error.message} {json.dumps(error.args)}"
    assert "Malformed access token [token]!" in error.message
