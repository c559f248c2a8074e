"""The second wall between businesses: PostgreSQL's row-level security, with Parley's own filters switched off."""

from typing import Any

import pytest
from django.apps import apps
from django.db import DatabaseError, connection, models, transaction

from api.tests.clients import api_client
from conversations.models import Conversation, ConversationNote
from conversations.tests.rows import conversation
from leads.models import Lead
from runtime.row_security import policies
from runtime.row_security.scope import EVERYTHING, NOTHING, ROLE, Scope, all_businesses, current, within
from tenants.models import Tenant
from tenants.tests.people import TwoBusinesses
from tests import test_isolation
from tests.both_businesses import THEIRS, rows_of, two_businesses
from tests.fake_network import FakeNetwork
from tests.fuzz.test_fuzz import FEW, SEED, Fuzz, fuzz
from tests.isolation_report import Report
from tests.walls import without_filters, without_row_security

__all__ = ["fuzz"]
pytestmark = pytest.mark.django_db

# Tables without a policy. Of people, who may belong to several businesses:
OF_PEOPLE = {
    *("auth_user", "auth_user_groups", "auth_user_user_permissions", "account_emailaddress"),
    *("account_emailconfirmation", "mfa_authenticator", "socialaccount_socialaccount", "socialaccount_socialtoken"),
    *("usersessions_usersession", "django_session", "django_admin_log", "admin_tokens", "desk_preferences"),
    *("notification_preferences", "push_subscriptions"),
}
# Of the installation:
OF_THE_INSTALLATION = {
    *("auth_group", "auth_group_permissions", "auth_permission", "django_content_type", "django_migrations"),
    *("axes_accessattempt", "axes_accessattemptexpiration", "axes_accessfailurelog", "axes_accesslog"),
    *(
        "socialaccount_socialapp",
        "cache_entries",
        "vapid_keys",
        "metric_counts",
        "files_to_remove",
        "pauses",
        "restores",
        "api_client_windows",
    ),
    *("procrastinate_jobs", "procrastinate_events", "procrastinate_workers", "procrastinate_periodic_defers"),
}


@pytest.fixture
def businesses() -> TwoBusinesses:
    return two_businesses()


def query(sql: str, *values: object) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values or None)  # type: ignore[arg-type]
        return list(cursor.fetchall()) if cursor.description else []


def test_every_table_has_a_policy_or_says_why_not() -> None:
    tables = dict(
        query(
            "SELECT c.relname, c.relrowsecurity AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid"
            " AND NOT p.polpermissive AND p.polroles = ARRAY[(SELECT oid FROM pg_roles WHERE rolname = %s)])"
            " FROM pg_class c WHERE c.relkind IN ('r', 'p', 'm') AND c.relnamespace = 'public'::regnamespace",
            ROLE,
        )
    )
    unprotected = {name for name, is_protected in tables.items() if not is_protected}
    assert {name for name in unprotected if not name.startswith("sandbox_")} == OF_PEOPLE | OF_THE_INSTALLATION
    with_tenant = {
        name for (name,) in query("SELECT table_name FROM information_schema.columns WHERE column_name = 'tenant_id'")
    }
    assert not with_tenant & unprotected
    assert policies.missing() == []


def test_a_new_model_of_a_business_gets_a_policy() -> None:
    class Visit(models.Model):  # noqa: DJ008
        conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="+")

        class Meta:
            app_label = "conversations"
            db_table = "visits"

    try:
        query("CREATE TABLE visits (id bigint, conversation_id bigint)")
        assert policies.missing() == ["visits"]
        policies.apply()
        assert policies.missing() == []
    finally:
        del apps.all_models["conversations"]["visit"]
        apps.clear_cache()


def test_a_statement_sees_the_rows_of_its_scope_and_no_others(businesses: TwoBusinesses) -> None:
    for tenant, mark in ((businesses.ours, "Ours"), (businesses.theirs, THEIRS)):
        rows_of(tenant, mark)
    ours, theirs = Scope((businesses.ours.pk,)), Scope((businesses.theirs.pk,))
    both = Scope((businesses.ours.pk, businesses.theirs.pk))
    Tenant.objects.filter(is_single=True).delete()
    with_rows = 0
    for table in policies.policies():
        found = {}
        for scope in (ours, theirs, both, NOTHING, EVERYTHING):
            with within(scope):
                found[scope] = {row for (row,) in query(f"SELECT ctid::text FROM {table}")}
        assert not found[NOTHING], table
        assert not found[ours] & found[theirs], table
        assert found[both] == found[ours] | found[theirs] == found[EVERYTHING], table
        with_rows += bool(found[ours] and found[theirs])
    assert with_rows >= 23


def test_rows_of_another_business_cannot_be_written(businesses: TwoBusinesses) -> None:
    mine, foreign = conversation(businesses.ours), conversation(businesses.theirs)
    with within(Scope((businesses.ours.pk,))):
        for write in (
            lambda: Conversation.objects.create(tenant=businesses.theirs, external_id="1", phone_number_id="1"),
            lambda: Conversation.objects.create(external_id="2", phone_number_id="1"),
            lambda: Conversation.objects.filter(pk=mine.pk).update(tenant=businesses.theirs),
            lambda: ConversationNote.objects.create(conversation=foreign, text="Hello"),
            lambda: Lead.objects.create(tenant=businesses.ours, conversation=foreign),
        ):
            with pytest.raises(DatabaseError, match="row-level security"), transaction.atomic():
                write()
        assert Conversation.objects.filter(pk=foreign.pk).update(contact_name="Mine") == 0
        assert Conversation.objects.filter(pk=foreign.pk).delete()[0] == 0
        assert ConversationNote.objects.create(conversation=mine, text="Hello").pk


@pytest.fixture
def in_autocommit(transactional_db: None) -> Tenant:
    return Tenant.objects.create(name="Ours", slug="ours")


def test_no_scope_outlives_its_statement_or_transaction(in_autocommit: Tenant) -> None:
    ours = Scope((in_autocommit.pk,))
    who = "SELECT current_user::text, current_setting('parley.tenants', true), (SELECT count(*) FROM tenants)"
    open_to_all = query(who)[0]
    with within(ours):
        assert query(who)[0] == ("parley_scoped", f"{{{in_autocommit.pk}}}", 1)
        assert list(Tenant.objects.iterator()) == [in_autocommit]  # a cursor on the server
        with transaction.atomic():
            with all_businesses():
                assert query(who)[0][0] == open_to_all[0]
            with pytest.raises(DatabaseError), transaction.atomic():
                query("SELECT nothing")
            assert query(who)[0][0] == "parley_scoped"
            with all_businesses():
                assert query(who)[0][0] == open_to_all[0]
    assert query(who)[0] == (open_to_all[0], "", open_to_all[2])
    assert current() == EVERYTHING


# --- with one of the walls switched off ---


@pytest.fixture
def on_one_wall(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    {"row security": without_filters, "filters": without_row_security}[request.param](monkeypatch)


each_alone = pytest.mark.parametrize("on_one_wall", ["row security", "filters"], indirect=True)


@each_alone
@pytest.mark.usefixtures("on_one_wall", "no_network")
@pytest.mark.parametrize("who", ["viewer", "owner"])
def test_one_wall_alone_holds(businesses: TwoBusinesses, who: str, isolation_report: Report) -> None:
    test_isolation.test_walks_every_url(businesses, who, isolation_report)


@each_alone
@pytest.mark.usefixtures("on_one_wall")
def test_one_wall_alone_holds_in_the_api(businesses: TwoBusinesses, isolation_report: Report) -> None:
    test_isolation.test_walks_the_api(businesses, "owner", isolation_report)


@each_alone
@pytest.mark.usefixtures("on_one_wall")
def test_one_wall_alone_holds_against_random_requests(fuzz: Fuzz) -> None:
    assert fuzz(SEED, FEW // 2) == []


@pytest.mark.parametrize("walls", [0, 1])
def test_a_view_without_a_filter_finds_nothing_of_others(
    businesses: TwoBusinesses, monkeypatch: pytest.MonkeyPatch, walls: int
) -> None:
    """The hole is real: without row-level security, it leaks."""
    for tenant, mark in ((businesses.ours, "Ours"), (businesses.theirs, THEIRS)):
        rows_of(tenant, mark)
    without_filters(monkeypatch)
    if not walls:
        without_row_security(monkeypatch)
    browser = businesses.browser("viewer")
    in_admin = browser.get("/admin/leads/lead/").content.decode()
    exported = browser.post(
        "/admin/leads/lead/", {"action": "export_csv", "_selected_action": ["1"], "select_across": 1}
    )
    in_api = api_client(businesses.ours, businesses.people["owner"]).get("leads").content.decode()
    for text in (in_admin, exported.getvalue().decode(), in_api):
        assert "Ours lead" in text
        assert (f"{THEIRS} lead" in text) == (walls == 0)


@pytest.fixture
def no_network(network: FakeNetwork) -> None:
    test_isolation.no_network.__wrapped__(network)  # type: ignore[attr-defined]
