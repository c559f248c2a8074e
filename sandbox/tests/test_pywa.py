"""The stand-in works with pywa, an independent client for Meta's API."""

from collections.abc import Iterator
from typing import Any

import pytest
from pytest_django.live_server_helper import LiveServer

from sandbox.tests.conftest import Bot
from sandbox.tests.graph import NUMBER, PERSON
from sandbox.tests.phone import chat, do, upload

pywa = pytest.importorskip("pywa", reason="pywa is not installed: pip install pywa")
pytestmark = pytest.mark.django_db(transaction=True)
PNG = b"\x89PNG\r\n\x1a\n" + b"pixels"


class Client:
    """pywa's client, with handlers that keep what it parses."""

    def __init__(self, root: str) -> None:
        self.updates: list[Any] = []
        self.wa = pywa.WhatsApp(
            phone_id=NUMBER,
            token="any",
            server=None,
            verify_token="v",
            app_secret="newest",
            webhook_endpoint="/",
            filter_updates=False,
            validate_updates=True,
        )
        self.wa.api._session.base_url = f"{root}/sandbox/graph/v24.0"
        for kind in ("message", "message_status", "callback_button", "callback_selection"):
            getattr(self.wa, f"on_{kind}")()(lambda _, update: self.updates.append(update))

    def take(self, bot: Bot) -> Any:
        """The next webhook, verified and parsed by pywa."""
        delivery = bot.next()
        assert self.wa.webhook_update_validator(delivery.raw, delivery.signature) is None
        answer, status = self.wa.webhook_update_handler(update=delivery.raw)
        assert status == 200, answer
        return self.updates.pop()


@pytest.fixture
def client(live_server: LiveServer, bot: Bot) -> Iterator[Client]:
    made = Client(live_server.url)
    yield made
    made.wa.api._session.close()


def test_it_sends_every_kind(client: Client) -> None:
    types = pywa.types
    wa = client.wa
    assert wa.send_message(to=PERSON, text="Hello").id.startswith("wamid.")
    assert wa.send_message(to=PERSON, text="Shall we?", buttons=[types.Button("Yes", "y")]).id
    assert wa.send_image(to=PERSON, image=PNG, mime_type="image/png", caption="A cake").id
    assert wa.request_location(to=PERSON, text="Where?").id
    english = types.templates.TemplateLanguage.ENGLISH
    parameters = [types.templates.BodyText.params("Ada", "17")]
    assert wa.send_template(to=PERSON, name="order_update", language=english, params=parameters).id
    with pytest.raises(pywa.errors.TemplateNotExists):
        wa.send_template(to=PERSON, name="unknown", language=english, params=[])
    assert wa.get_business_phone_number().quality_rating == "GREEN"


def test_it_sends_templates_with_files_names_and_buttons(client: Client) -> None:
    parts, wa = pywa.types.templates, client.wa
    english = parts.TemplateLanguage.ENGLISH
    invoice = [
        parts.HeaderDocument.params(document=b"%PDF", filename="invoice.pdf", mime_type="application/pdf"),
        parts.BodyText.params(customer_name="Ann", order_number="17", due_date="Friday"),
    ]
    shipped = [
        parts.HeaderImage.params(image=PNG, mime_type="image/png"),
        parts.BodyText.params("Ann", "17"),
        parts.URLButton.params(url_variable="17", index=0),
    ]
    sale = [
        parts.HeaderText.params("20%"),
        parts.BodyText.params("Ann", "Sunday"),
        parts.CopyCodeButton.params(coupon_code="SUMMER", index=1),
    ]
    place = parts.HeaderLocation.params(lat=53.3, lon=-6.2, name="Harbour Bakery", address="12 Quay Street")
    flow = [parts.HeaderVideo.params(video="https://bakery.example/a.mp4"), parts.FlowButton.params(index=0)]
    sent = {
        "invoice_ready": invoice,
        "order_shipped": shipped,
        "summer_sale": sale,
        "find_us": [place, parts.BodyText.params("Ann")],
        "rate_visit": flow,
    }
    for name, params in sent.items():
        assert wa.send_template(to=PERSON, name=name, language=english, params=params).id.startswith("wamid.")
    file = chat()["messages"][0]["file"]
    assert (file["mime_type"], chat()["messages"][1]["file"]["mime_type"]) == ("application/pdf", "image/png")
    for name, params, error in (
        ("order_shipped", shipped[:2], pywa.errors.MissingRequiredParameter),
        ("order_shipped", shipped[1:], pywa.errors.TemplateParamFormatMismatch),
        ("order_shipped", [shipped[0], shipped[2]], pywa.errors.TemplateParamCountMismatch),
    ):
        with pytest.raises(error):
            wa.send_template(to=PERSON, name=name, language=english, params=params)


def test_it_reads_the_list_of_templates(client: Client) -> None:
    parts = pywa.types.templates
    found = {listed.name: listed for listed in client.wa.get_templates(waba_id="102290129340398")}
    kinds = {name: [type(part) for part in listed.components] for name, listed in found.items()}
    assert kinds["invoice_ready"] == [parts.HeaderDocument, parts.BodyText, parts.FooterText, parts.Buttons]
    assert kinds["find_us"] == [parts.HeaderLocation, parts.BodyText, parts.Buttons]
    assert kinds["new_in_the_shop"] == [parts.BodyText, parts.Carousel]
    assert found["see_you"].parameter_format == parts.ParamFormat.NAMED
    buttons = [type(button) for button in found["summer_sale"].components[-1].buttons]
    assert buttons == [parts.QuickReplyButton, parts.CopyCodeButton]


def test_it_parses_statuses(client: Client, bot: Bot) -> None:
    client.wa.send_message(to=PERSON, text="Hello", tracker="17")
    found = [client.take(bot), client.take(bot)]
    assert [(update.status.value, update.tracker) for update in found] == [("sent", "17"), ("delivered", "17")]


def test_it_parses_what_customers_write_and_fetches_their_files(client: Client, bot: Bot) -> None:
    do("text", text="Hello")
    text = client.take(bot)
    assert (text.text, text.from_user.wa_id) == ("Hello", PERSON)
    assert text.mark_as_read()
    do("image", media_id=upload(PNG, "image/png"), caption="A cake")
    image = client.take(bot)
    assert (image.caption, image.image.get_bytes()) == ("A cake", PNG)


def test_it_parses_taps(client: Client, bot: Bot) -> None:
    asked = client.wa.send_message(to=PERSON, text="Shall we?", buttons=[pywa.types.Button("Yes", "y")])
    for _ in range(2):
        client.take(bot)
    do("tap", wamid=asked.id, id="y")
    assert client.take(bot).data == "y"
