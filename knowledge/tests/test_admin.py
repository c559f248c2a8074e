"""The pages of knowledge in the admin."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from knowledge import sources
from knowledge.models import Chunk, Source
from knowledge.tests.website import SHOP, Website, page, sitemap
from tenants.models import Tenant
from tenants.tests.people import TwoBusinesses
from tests.stage import Stage

LIST = "/admin/knowledge/source/"
NO_DATE = {"expires_at_0": "", "expires_at_1": ""}


@pytest.fixture
def people(stage: Stage) -> TwoBusinesses:
    return TwoBusinesses()


@pytest.fixture
def operator(people: TwoBusinesses) -> Client:
    return people.browser("operator")


@pytest.fixture
def site(stage: Stage) -> Website:
    return Website(stage.network)


def add(client: Client, tenant: Tenant, kind: str, **fields: Any) -> Any:
    data = {"tenant": tenant.pk, "enabled": "on", **NO_DATE, **fields}
    return client.post(f"{LIST}add/?kind={kind}", data, follow=True)


def shown(client: Client, url: str, **query: str) -> str:
    return str(client.get(url, query).content.decode())


def question(tenant: Tenant, title: str = "Open?", text: str = "At nine.") -> Source:
    source = Source(tenant=tenant, kind="question", title=title, text=text)
    sources.save(source)
    return source


def test_an_empty_list_says_what_to_do(operator: Client) -> None:
    html = shown(operator, LIST)
    assert "Add the questions that customers often ask" in html
    assert "All of it goes into each prompt" not in html


def test_a_question_is_known_at_once(operator: Client, people: TwoBusinesses) -> None:
    add(
        operator, people.ours, "question", title=" Do you  deliver? ", text="Yes.\r\n\r\n\r\nOn Fridays.", public_url=""
    )
    source = Source.objects.get()
    assert (source.kind, source.title, source.text) == ("question", "Do you deliver?", "Yes.\n\nOn Fridays.")
    assert Chunk.objects.get().text == "Yes.\n\nOn Fridays."
    html = shown(operator, f"{LIST}{source.pk}/change/")
    assert "What the assistant sees" in html
    assert "Read again now" not in html


def test_the_page_says_whether_knowledge_is_searched(operator: Client, people: TwoBusinesses, settings: Any) -> None:
    question(people.ours)
    html = shown(operator, LIST)
    assert "All of it goes into each prompt" in html
    assert "of 6,000 tokens" in html
    settings.KNOWLEDGE_PROMPT_TOKENS = 1
    assert "It is searched" in shown(operator, LIST)


def test_several_files_are_added_at_once(operator: Client, people: TwoBusinesses, stage: Stage) -> None:
    files = [SimpleUploadedFile("prices.md", b"Apple: 24.00"), SimpleUploadedFile("hours.txt", b"At nine.")]
    add(operator, people.ours, "file", files=files, public_url="https://shop.test/prices")
    assert "Waiting to be read" in shown(operator, LIST)
    stage.work()
    found = Source.objects.order_by("pk").values_list("title", "text", "public_url", "state")
    link = "https://shop.test/prices"
    assert list(found) == [("prices", "Apple: 24.00", link, "ready"), ("hours", "At nine.", link, "ready")]


@pytest.mark.parametrize(
    ("kind", "fields", "reason"),
    [
        ("question", {"title": "", "text": "Yes."}, "This field is required."),
        ("question", {"title": "Open?", "text": " "}, "This field is required."),
        ("question", {"title": "Open?", "text": "x" * 4_001}, "The limit is 4,000."),
        ("text", {"title": "", "text": "Yes."}, "This field is required."),
        ("file", {}, "This field is required."),
        ("file", {"files": [SimpleUploadedFile("empty.txt", b"")]}, "empty"),
        ("file", {"files": [SimpleUploadedFile("big.txt", bytes((1 << 20) + 1))]}, "larger than 1 MB"),
        ("page", {"url": "", "repeat_days": 0}, "This field is required."),
        ("page", {"url": "ftp://shop.test/", "repeat_days": 0}, "must begin with https"),
        ("page", {"url": "http://127.0.0.1/", "repeat_days": 0}, "127.0.0.1 is not on the internet"),
        ("page", {"url": "https://user:word@shop.test/", "repeat_days": 0}, "contain a username"),
    ],
)
def test_what_cannot_be_added_says_why(
    operator: Client, people: TwoBusinesses, settings: Any, kind: str, fields: dict[str, Any], reason: str
) -> None:
    settings.KNOWLEDGE_LARGEST_MB = 1
    assert reason in add(operator, people.ours, kind, **fields).content.decode().replace("&#x27;", "'")
    assert not Source.objects.exists()


def test_too_much_text_is_refused_in_the_form(operator: Client, people: TwoBusinesses, settings: Any) -> None:
    settings.KNOWLEDGE_MAX_CHUNKS = 1
    answer = add(operator, people.ours, "text", title="Prices", text="# A\na\n# B\nb", public_url="")
    assert "would exceed the limit of 1 chunks" in answer.content.decode()


def test_a_page_is_added_once_and_without_its_scheme(operator: Client, people: TwoBusinesses, site: Website) -> None:
    for _ in range(2):
        answer = add(operator, people.ours, "page", url="shop.test/#top", title="", repeat_days=7)
    assert "already in the list" in answer.content.decode()
    assert Source.objects.get().url == SHOP


def test_a_page_shows_what_changed_and_is_read_again(
    operator: Client, people: TwoBusinesses, site: Website, stage: Stage
) -> None:
    site.answers[SHOP] = page("Apple: 24.00")
    add(operator, people.ours, "page", url=SHOP, title="", repeat_days=0)
    stage.work()
    site.answers[SHOP] = page("Apple: 26.00 <script>alert(1)</script>")
    source = Source.objects.get()
    operator.post(f"{LIST}{source.pk}/read-again/")
    stage.work()
    html = shown(operator, f"{LIST}{source.pk}/change/")
    assert "<del>Apple: 24.00</del>" in html
    assert "<ins>Apple: 26.00</ins>" in html


def test_a_failure_is_on_the_list_and_on_the_page(
    operator: Client, people: TwoBusinesses, site: Website, stage: Stage
) -> None:
    add(operator, people.ours, "page", url=SHOP, title="", repeat_days=0)
    stage.work()
    for url in (LIST, f"{LIST}{Source.objects.get().pk}/change/"):
        assert "no page at this URL (HTTP 404)" in shown(operator, url)


def test_a_sitemap_counts_its_pages(operator: Client, people: TwoBusinesses, site: Website, stage: Stage) -> None:
    site.answers = {f"{SHOP}sitemap.xml": sitemap(f"{SHOP}a", f"{SHOP}b"), f"{SHOP}a": page("Apple")}
    add(operator, people.ours, "sitemap", url=f"{SHOP}sitemap.xml", repeat_days=0)
    stage.work()
    source = Source.objects.get(parent=None)
    html = shown(operator, LIST)
    assert "2 pages. 1 couldn&#x27;t be read" in html
    assert html.count("data-source=") == 1
    assert shown(operator, LIST, sitemap=str(source.pk)).count("data-source=") == 2


def test_an_open_page_asks_how_far_the_reading_is(operator: Client, people: TwoBusinesses) -> None:
    ours, theirs = question(people.ours), question(people.theirs)
    Source.objects.filter(pk=ours.pk).update(state="reading", progress="Reading page 3 of 10")
    answer = operator.get(f"{LIST}status/", {"id": [str(ours.pk), str(theirs.pk), "x", "9" * 30]}).json()
    assert [*answer] == [str(ours.pk)]
    assert "Reading page 3 of 10" in answer[str(ours.pk)]
    assert "data-open" in answer[str(ours.pk)]


def test_sources_are_switched_off_and_on(operator: Client, people: TwoBusinesses) -> None:
    ours, theirs = question(people.ours), question(people.theirs)
    for action, enabled in (("switch_off", False), ("switch_on", True)):
        operator.post(LIST, {"action": action, "_selected_action": [ours.pk, theirs.pk]})
        ours.refresh_from_db()
        theirs.refresh_from_db()
        assert (ours.enabled, theirs.enabled) == (enabled, True)


def test_a_viewer_changes_nothing(people: TwoBusinesses) -> None:
    viewer, source = people.browser("viewer"), question(people.ours)
    assert "Open?" in shown(viewer, LIST)
    assert "Add knowledge" not in shown(viewer, LIST)
    assert viewer.get(f"{LIST}import/").status_code == 403
    assert viewer.post(f"{LIST}{source.pk}/read-again/").status_code == 403
    viewer.post(f"{LIST}{source.pk}/change/", {"title": "Hacked", "text": "x"})
    source.refresh_from_db()
    assert source.title == "Open?"


def test_long_sources_are_previewed_page_by_page(operator: Client, people: TwoBusinesses) -> None:
    source = Source(
        tenant=people.ours, kind="text", title="Prices", text="\n".join(f"# H{n}\nText {n}." for n in range(45))
    )
    sources.save(source)
    html = shown(operator, f"{LIST}{source.pk}/change/", chunks="3")
    assert '<p class="page-text">Text 44.' in html
    assert '<p class="page-text">Text 39.' not in html
    assert "Page 3 of 3" in html
    assert shown(operator, f"{LIST}{source.pk}/change/", chunks="nonsense").count("knowledge-chunk") == 20


def test_an_import_is_shown_before_it_is_carried_out(operator: Client, people: TwoBusinesses) -> None:
    question(people.ours)
    file = SimpleUploadedFile("faq.csv", "question,answer\nOpen?,At ten.\nParking?,Behind.".encode("utf-16"))
    form = operator.post(f"{LIST}import/", {"tenant": people.ours.pk, "file": file})
    assert "1 new, 1 changed, 0 unchanged" in form.content.decode()
    assert Source.objects.count() == 1
    content = form.context["form"].cleaned_data["content"]
    operator.post(f"{LIST}import/", {"tenant": people.ours.pk, "content": content, "confirmed": "1"})
    assert dict(Source.objects.values_list("title", "text")) == {"Open?": "At ten.", "Parking?": "Behind."}


def test_an_import_with_problems_is_not_carried_out(operator: Client, people: TwoBusinesses) -> None:
    content = "question,answer\nOpen?,\nParking?,Behind."
    data = {"tenant": people.ours.pk, "content": content, "confirmed": "1"}
    html = operator.post(f"{LIST}import/", data).content.decode()
    assert "Row 2, “Open?”: This field is required." in html
    assert not Source.objects.exists()


def test_nothing_is_imported_for_another_business(operator: Client, people: TwoBusinesses) -> None:
    data = {"tenant": people.theirs.pk, "content": "question,answer\nOpen?,Yes.", "confirmed": "1"}
    operator.post(f"{LIST}import/", data)
    add(operator, people.theirs, "question", title="Open?", text="Yes.", public_url="")
    assert not Source.objects.exists()


@pytest.mark.parametrize("form", ["csv", "json"])
def test_the_chosen_questions_are_exported(operator: Client, people: TwoBusinesses, form: str) -> None:
    ours, theirs = question(people.ours), question(people.theirs, "Secret?")
    data = {"action": f"export_{form}", "_selected_action": [ours.pk, theirs.pk]}
    answer = operator.post(LIST, data)
    assert "At nine." in answer.content.decode()
    assert "Secret?" not in answer.content.decode()
    assert answer["Content-Disposition"] == f'attachment; filename="knowledge.{form}"'
