"""Leads as a spreadsheet: only the user's own, in both formats, and without formulas."""

import csv
import io
from typing import Any

import pytest
from openpyxl import load_workbook

from conversations.models import Conversation
from leads.models import Lead
from leads.tests.test_admin import LIST, lead
from tenants.tests.people import TwoBusinesses

pytestmark = pytest.mark.django_db

DANGEROUS = ["=SUM(A1)", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"]
FORMATS = ["csv", "excel"]


def table(answer: Any, format: str) -> list[list[Any]]:
    content = b"".join(answer.streaming_content)
    if format == "csv":
        return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    return [[cell.value or "" for cell in row] for row in load_workbook(io.BytesIO(content)).active.iter_rows()]


def exported(businesses: TwoBusinesses, who: str, format: str, *selected: Lead, **query: str) -> list[list[Any]]:
    """The selected leads, or all that the list shows with this query."""
    data = {"action": f"export_{format}", "_selected_action": [each.pk for each in selected or Lead.objects.all()[:1]]}
    if not selected:
        data["select_across"] = "1"
    answer = businesses.browser(who).post(LIST, data, query_params=query)
    assert answer.streaming, answer.content.decode()
    assert f".{'csv' if format == 'csv' else 'xlsx'}" in answer.headers["Content-Disposition"]
    return table(answer, format)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("who", ["viewer", "owner"])
def test_exports_the_users_own_leads(businesses: TwoBusinesses, who: str, format: str) -> None:
    lead(businesses.ours, "Carla Gómez")
    lead(businesses.theirs, "Theirs", "4930")
    head, *rows = exported(businesses, who, format)
    assert head == ["tenant", "name", "phone", "stage", "source", "first_text", "notes", "created_at"]
    assert [row[:4] for row in rows] == [["Business ours", "Carla Gómez", "4915112345", "new"]]


@pytest.mark.parametrize("format", FORMATS)
def test_no_cell_is_a_formula(businesses: TwoBusinesses, format: str) -> None:
    for number, text in enumerate(DANGEROUS):
        lead(businesses.ours, text, f"49{number}")
    Lead.objects.update(notes="=cmd|' /C calc'!A0", first_text="harmless \x0b\x00"[:-1])
    for row in exported(businesses, "owner", format)[1:]:
        assert row[1][0] == row[6][0] == "'"
        assert row[5] == "harmless "


@pytest.mark.parametrize("format", FORMATS)
def test_follows_the_filters_and_the_search(businesses: TwoBusinesses, format: str) -> None:
    lead(businesses.ours, "Carla")
    won = lead(businesses.ours, "Jonas", "4930")
    Lead.objects.filter(pk=won.pk).update(stage="won")
    assert [row[1] for row in exported(businesses, "owner", format, stage__exact="won")[1:]] == ["Jonas"]
    assert [row[1] for row in exported(businesses, "owner", format, q="Carl")[1:]] == ["Carla"]


@pytest.mark.parametrize("format", FORMATS)
def test_exports_the_selected_ones_and_none_of_another_business(businesses: TwoBusinesses, format: str) -> None:
    mine, theirs = lead(businesses.ours, "Carla"), lead(businesses.theirs, "Theirs", "4930")
    lead(businesses.ours, "Not selected", "4931")
    assert [row[1] for row in exported(businesses, "viewer", format, mine, theirs)[1:]] == ["Carla"]


def test_many_leads_need_few_queries(businesses: TwoBusinesses, django_assert_max_num_queries: Any) -> None:
    talks = Conversation.objects.bulk_create(
        Conversation(tenant=businesses.ours, phone_number_id="1", external_id=f"49{n}") for n in range(1200)
    )
    Lead.objects.bulk_create(Lead(tenant=businesses.ours, conversation=talk, name="x") for talk in talks)
    with django_assert_max_num_queries(35):
        assert len(exported(businesses, "viewer", "csv")) == 1201


def test_the_list_offers_both_formats(businesses: TwoBusinesses) -> None:
    lead(businesses.ours)
    page = businesses.browser("viewer").get(LIST).content.decode()
    assert "Export as CSV" in page
    assert "Export as Excel" in page
