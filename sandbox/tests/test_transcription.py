"""The transcription stand-in returns what the sender typed."""

import io

import openai
import pytest
from pytest_django.live_server_helper import LiveServer

from sandbox.graph.media import keep
from sandbox.models import PhoneNumber
from sandbox.tests.graph import NUMBER
from sandbox.tests.phone import set_weather

pytestmark = pytest.mark.django_db(transaction=True)


def test_it_returns_what_was_typed_for_the_voice_note(live_server: LiveServer) -> None:
    keep(PhoneNumber.known_as(NUMBER), b"sound", "audio/ogg", "voice.ogg", spoken="Do you have rye bread?")
    with openai.OpenAI(api_key="k", base_url=f"{live_server.url}/sandbox/openai/v1", max_retries=0) as client:

        def heard(data: bytes) -> str:
            return client.audio.transcriptions.create(model="whisper-1", file=("a.ogg", io.BytesIO(data))).text

        assert heard(b"sound") == "Do you have rye bread?"
        assert "7 bytes" in heard(b"unknown")
        set_weather({"area": "hearing", "kind": "blank", "times": 1})
        assert heard(b"sound") == ""
        set_weather({"area": "hearing", "kind": "server_error", "times": 1})
        with pytest.raises(openai.InternalServerError):
            heard(b"sound")
        with pytest.raises(openai.BadRequestError):
            heard(b"")
