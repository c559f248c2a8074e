"""The inbox: the list of conversations with its tabs, filters and search."""

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Q, QuerySet, TextChoices
from django.http import HttpRequest

from conversations.models import Conversation
from runtime.row_security.scope import Scope
from tenants.access import scope_of
from tenants.scoped_admin import FilteredList
from tenants.users import user_of

from .list_rows import ListRow, rows_for

MAX_COUNTED = 1000
# Of one page, not of the list: where its transcript ends, and whether it shows the details.
OF_THE_PAGE = ("before", "details")


class Tab(TextChoices):
    NEEDS = "needs", "Needs an agent"
    MINE = "mine", "Mine"
    ALL = "all", "All"


@dataclass(frozen=True, slots=True)
class TabLink:
    label: str
    count: str
    query: str
    is_current: bool


class InboxList(FilteredList):
    """Django's list of conversations, narrowed to a tab. Its query string is part of every URL of the inbox."""

    rows: list[ListRow]
    result_list: list[Conversation]

    def __init__(self, request: HttpRequest, *args: Any) -> None:
        self.user, self.tab = user_of(request), tab_of(request)
        super().__init__(request, *args)

    def get_queryset(
        self, request: HttpRequest, exclude_parameters: list[str | None] | None = None
    ) -> QuerySet[Conversation]:
        for name in OF_THE_PAGE:
            self.params.pop(name, None)
        rows: QuerySet[Conversation] = super().get_queryset(request, exclude_parameters)
        if self.tab == Tab.NEEDS:  # who has waited longest comes first
            return rows.filter(~Q(needs_person="")).order_by("needs_person_since", "pk")
        if self.tab == Tab.MINE:
            return rows.filter(handled_by=Conversation.Handler.OPERATOR, operator=request.user.pk)
        return rows

    def get_filters_params(self, params: dict[str, list[str]] | None = None) -> dict[str, list[str]]:
        found: dict[str, list[str]] = super().get_filters_params(params)
        for name in ("tab", *OF_THE_PAGE):
            found.pop(name, None)
        return found

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = list(self.result_list)
        self.rows = rows_for(self.result_list, self.query)

    @property
    def shows_tenant(self) -> bool:
        scope = scope_of(self.user)
        return scope.everyone or len(scope.tenants) > 1

    def page(self, step: int) -> str:
        return str(self.get_query_string({"p": self.page_num + step}))

    @property
    def previous_page(self) -> str:
        return self.page(-1) if self.page_num > 1 else ""

    @property
    def next_page(self) -> str:
        return self.page(1) if len(self.result_list) == self.list_per_page else ""


def tab_of(request: HttpRequest) -> Tab:
    wanted = request.GET.get("tab", "")
    return Tab(wanted) if wanted in Tab.values else Tab.ALL


def tabs(request: HttpRequest) -> list[TabLink]:
    counts = counted(scope_of(user_of(request)), user_of(request))
    links = []
    for tab in Tab:
        query = request.GET.copy()
        for name in (*OF_THE_PAGE, "p"):
            query.pop(name, None)
        query["tab"] = tab.value
        links.append(TabLink(tab.label, counts[tab], f"?{query.urlencode()}", tab == tab_of(request)))
    return links


_CONDITIONS = {
    Tab.NEEDS: "needs_person <> ''",
    Tab.MINE: "handled_by = 'operator' AND operator_id = %(user)s",
    Tab.ALL: "true",
}


def counted(scope: Scope, user: User) -> dict[Tab, str]:
    """How many conversations each tab has for this user, counted up to MAX_COUNTED."""
    # Without OR: a prepared statement with one couldn't use the indexes.
    visible = "true" if scope.everyone else "tenant_id = ANY (%(tenants)s)"
    counts = ", ".join(
        f"(SELECT count(*) FROM (SELECT FROM conversations WHERE {visible} AND {condition} LIMIT {MAX_COUNTED}) AS c)"  # noqa: S608
        for condition in _CONDITIONS.values()
    )
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {counts}", {"tenants": list(scope.tenants), "user": user.pk})
        found = cursor.fetchone()
    return {
        tab: f"{number:,}" if number < MAX_COUNTED else f"{MAX_COUNTED - 1}+"
        for tab, number in zip(_CONDITIONS, found, strict=True)
    }
