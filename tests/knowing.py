"""What a business knows, and a model that says what the test wants."""

from typing import Any

import httpx2

from knowledge.indexing import store_chunks
from knowledge.models import Source
from tenants.models import Tenant
from tests.stage import Stage
from whatsapp.tests.factories import inbound, text_message

CARROT = "The carrot cake costs 28 euros."
RYE = "The rye bread costs 5 euros."


def know(title: str, text: str, **columns: Any) -> Source:
    columns.setdefault("kind", Source.Kind.TEXT)
    source = Source.objects.create(tenant=Tenant.objects.single(), title=title, text=text, **columns)
    store_chunks(source)
    return source


def answering(stage: Stage, *answers: httpx2.Response) -> None:
    """The first answer for the first request, and so on; the last one for all others."""
    left = list(answers)
    stage.wire.model = lambda body: left.pop(0) if len(left) > 1 else left[0]


def ask(stage: Stage, text: str) -> None:
    stage.converse(inbound(text_message(text)))
