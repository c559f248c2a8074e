"""Questions and texts leave as CSV or JSON and come back unchanged, and what can't be imported is said row by row."""

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from knowledge import exchange, sources
from knowledge.models import Chunk, Source
from runtime.untrusted_json import one_line, several_lines
from tenants.models import Tenant
from tenants.tests.people import TwoBusinesses

pytestmark = pytest.mark.django_db
WRITERS = [exchange.as_csv, exchange.as_json]
COLUMNS = [*exchange.COLUMNS]


def question(tenant: Tenant, title: str, text: str, **columns: Any) -> Source:
    source = Source(tenant=tenant, kind=columns.pop("kind", "question"), title=title, text=text, **columns)
    sources.save(source)
    return source


def contents(tenant: Tenant) -> list[dict[str, Any]]:
    return list(Source.objects.filter(tenant=tenant).order_by("id").values(*COLUMNS))


def exported(tenant: Tenant, write: Callable[..., str]) -> str:
    return write(Source.objects.filter(tenant=tenant))


def carry_out(tenant: Tenant, text: str) -> tuple[int, int, int]:
    plan = exchange.plan(tenant, text)
    assert plan.problems == []
    exchange.carry_out(plan)
    return len(plan.new), len(plan.changed), plan.unchanged


@pytest.mark.parametrize("write", WRITERS)
def test_what_is_exported_is_imported_unchanged(businesses: TwoBusinesses, write: Callable[..., str]) -> None:
    ours, theirs = businesses.ours, businesses.theirs
    question(ours, "Do you deliver?", "Yes,\non Fridays; \"always\", said 'Ann'.")
    question(ours, "Do you deliver?", "In the city.", enabled=False)
    question(ours, "=SUM(A1)", "'=1+1\n\n-2")
    question(
        ours,
        "Prices",
        "# Cakes\n\nApple: 24.00",
        kind="text",
        public_url="https://a.test/?x=1",
        expires_at=timezone.now(),
    )
    text = exported(ours, write)
    assert carry_out(ours, text) == (0, 0, 4)
    assert carry_out(theirs, text) == (4, 0, 0)
    assert contents(theirs) == contents(ours)
    assert exported(theirs, write) == text
    assert Chunk.objects.filter(tenant=theirs).count() == 4


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.text(min_size=1), st.text(min_size=1)), max_size=4))
@pytest.mark.parametrize("write", WRITERS)
def test_any_text_survives(businesses: TwoBusinesses, write: Callable[..., str], pairs: list[tuple[str, str]]) -> None:
    ours = businesses.ours
    Source.objects.all().delete()
    for title, text in ((one_line(title, 500), several_lines(text)) for title, text in pairs):
        if title and text:
            question(ours, title, text)
    before = contents(ours)
    text = exported(ours, write)
    Source.objects.all().delete()
    carry_out(ours, text)
    assert contents(ours) == before


@pytest.mark.parametrize("start", ["=1+1", "+1", "-1", "@a", "＝1", "'=1"])
def test_a_spreadsheet_runs_nothing_of_an_export(businesses: TwoBusinesses, start: str) -> None:
    question(businesses.ours, start, start)
    rows = list(csv.reader(io.StringIO(exported(businesses.ours, exchange.as_csv).removeprefix("\ufeff"))))
    assert rows[1][1:3] == [f"'{start}", f"'{start}"]


def test_a_known_question_gets_the_new_answer(businesses: TwoBusinesses) -> None:
    source = question(businesses.ours, "Open?", "At nine.")
    text = "Question;Answer;Link\nOpen?;At ten.;\nParking?;Behind the shop.;https://a.test/p\n"
    assert carry_out(businesses.ours, text) == (1, 1, 0)
    source.refresh_from_db()
    assert source.text == "At ten."
    assert list(source.chunks.values_list("text", flat=True)) == ["At ten."]


def test_each_row_that_cannot_be_imported_says_why(businesses: TwoBusinesses) -> None:
    rows = [
        {"kind": "file", "title": "a", "text": "b"},
        {"question": "", "answer": "b"},
        {"question": "a", "answer": " "},
        {"question": "a", "answer": "x" * 4_001},
        {"question": "a\nb", "answer": "b"},
        {"question": "a", "answer": "b", "link": "javascript:x()"},
        {"question": "a", "answer": "b", "enabled": "maybe"},
        {"question": "a", "answer": "b", "expires_at": "soon"},
        {"question": "a", "answer": "b", "expires_at": "2026-13-45T00:00"},
        "nonsense",
        {"question": "fine", "answer": "fine"},
    ]
    plan = exchange.plan(businesses.ours, json.dumps(rows))
    assert [row.number for row in plan.problems] == list(range(1, 11))
    assert all(row.problem for row in plan.problems)
    assert "kind must be question or text" in plan.problems[0].problem
    assert "4,001 characters" in plan.problems[3].problem
    assert len(plan.new) == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{nonsense", "isn't valid JSON"),
        ("[" * 100_000, "isn't valid JSON"),
        ('{"a": 1}', "must be a list"),
        ("name,age\nAnn,3", "must name the columns"),
        ("", "must name the columns"),
        ('question,answer\n"a,b', "isn't valid CSV"),
        ("question,answer\n" + "a,b\n" * 5_001, "more than 5,000 rows"),
        ("x" * 2_000_001, "more than 2,000,000 characters"),
    ],
)
def test_a_file_that_cannot_be_imported_says_why(businesses: TwoBusinesses, text: str, reason: str) -> None:
    with pytest.raises(exchange.Unreadable, match=reason):
        exchange.plan(businesses.ours, text)


def test_only_the_business_itself_is_changed(businesses: TwoBusinesses) -> None:
    theirs = question(businesses.theirs, "Open?", "At nine.")
    assert carry_out(businesses.ours, "question,answer\nOpen?,At ten.") == (1, 0, 0)
    theirs.refresh_from_db()
    assert theirs.text == "At nine."
