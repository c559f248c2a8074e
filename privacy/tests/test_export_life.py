"""From the request of an export until it's deleted."""

from typing import Any

import pytest
from django.db.models.functions import Now

from conversations.models import Conversation
from privacy import erasing, people
from privacy.exporting import requesting, writing
from privacy.models import Export
from privacy.tests.test_exporting import entries, exported, rows_in, stored_exports
from privacy.tests.test_exporting import tenants as tenants
from tenants.models import Membership, Tenant
from tests.stage import Stage


def test_the_same_export_is_written_once_at_a_time(stage: Stage, tenants: tuple[Tenant, Tenant]) -> None:
    ours, theirs = tenants
    first = requesting.request(ours, None, None)
    assert requesting.request(ours, None, None) == first
    assert requesting.request(theirs, None, None) != first
    stage.work()
    assert requesting.request(ours, None, None) != first


def test_an_export_is_deleted_when_it_expires(stage: Stage, tenants: tuple[Tenant, Tenant]) -> None:
    export = exported(stage, tenants[0])
    assert requesting.delete_expired() == 0
    assert stored_exports()
    Export.objects.filter(pk=export.pk).update(expires_at=Now())
    requesting.delete_expired()
    assert not Export.objects.exists()
    assert stored_exports() == []


@pytest.mark.parametrize("whom", ["everything", "the person"])
def test_erasing_a_person_deletes_the_exports_that_contain_them(
    stage: Stage, tenants: tuple[Tenant, Tenant], whom: str
) -> None:
    ours, theirs = tenants
    talk = Conversation.objects.get(tenant=ours, contact_name="Ours customer")
    person = people.find(ours, talk.external_id)
    assert person is not None
    exported(stage, ours, None if whom == "everything" else person)
    other = exported(stage, theirs)
    erasing.request(person, None)
    while erasing.erase_some():
        pass
    assert list(Export.objects.all()) == [other]
    assert len(stored_exports()) == 1


def test_an_export_that_is_deleted_while_it_is_written_leaves_nothing(
    stage: Stage, tenants: tuple[Tenant, Tenant]
) -> None:
    export = requesting.request(tenants[0], None, None)
    writer = writing.PartWriter(export)
    writer.announce()
    writer.store()
    Export.objects.all().delete()
    assert not writer.record()
    writer.close()
    assert stored_exports() == []


def test_names_of_members_are_exported_without_passwords(stage: Stage, tenants: tuple[Tenant, Tenant]) -> None:
    users = rows_in(entries(exported(stage, tenants[0])), "auth_user")
    members: Any = Membership.objects.filter(tenant=tenants[0])
    assert {row["id"] for row in users} == set(members.values_list("user", flat=True))
    assert set(users[0]) == {"id", "username", "first_name", "last_name", "email"}
