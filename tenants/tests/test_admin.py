"""The admin of businesses and people, and what all our admins inherit from their base."""

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from tenants.models import Membership, Tenant
from tenants.scoped_admin import TenantScopedAdmin
from tenants.tests.people import Role, TwoBusinesses, person, tenant

pytestmark = pytest.mark.django_db


def text_of(client: Client, address: str, **query: str) -> str:
    response = client.get(address, query)
    assert response.status_code == 200, (address, response.status_code)
    return response.content.decode()


def test_shows_members_only_their_own_business(businesses: TwoBusinesses) -> None:
    page = text_of(businesses.browser("viewer"), "/admin/tenants/tenant/")
    assert "Business ours" in page
    assert "Business theirs" not in page


def test_shows_a_superuser_every_business(businesses: TwoBusinesses) -> None:
    page = text_of(businesses.browser("superuser"), "/admin/tenants/tenant/")
    assert "Business ours" in page
    assert "Business theirs" in page


def test_refuses_staff_without_a_membership(businesses: TwoBusinesses) -> None:
    client = businesses.browser("nobody")
    assert client.get("/admin/tenants/tenant/").status_code == 403
    assert "Business" not in text_of(client, "/admin/")


def test_members_need_no_django_permissions(businesses: TwoBusinesses) -> None:
    index = text_of(businesses.browser("owner"), "/admin/")
    assert "/admin/tenants/membership/" in index
    assert "/admin/auth/user/" not in index
    assert "our-viewer" in text_of(businesses.browser("viewer"), "/admin/tenants/membership/")


def test_an_owner_renames_their_business_and_changes_nothing_else_of_it(businesses: TwoBusinesses) -> None:
    address = reverse("admin:tenants_tenant_change", args=[businesses.ours.pk])
    for who in ("viewer", "operator", "stranger"):
        assert businesses.browser(who).post(address, {"name": "Theirs"}).status_code in (403, 404)
    businesses.browser("owner").post(address, {"name": "Our new name", "slug": "taken", "is_active": ""})
    ours = Tenant.objects.get(pk=businesses.ours.pk)
    assert (ours.name, ours.slug, ours.is_active) == ("Our new name", "ours", True)


@pytest.mark.parametrize("who", ["viewer", "operator", "stranger"])
def test_only_owners_can_change_memberships(businesses: TwoBusinesses, who: str) -> None:
    membership = Membership.objects.get(user=businesses.people["viewer"])
    address = reverse("admin:tenants_membership_change", args=[membership.pk])
    data = {"user": membership.user_id, "tenant": membership.tenant_id, "role": "owner"}
    assert businesses.browser(who).post(address, data).status_code in (403, 404)
    membership.refresh_from_db()
    assert membership.role == "viewer"


def test_lets_an_owner_change_a_role(businesses: TwoBusinesses) -> None:
    membership = Membership.objects.get(user=businesses.people["viewer"])
    address = reverse("admin:tenants_membership_change", args=[membership.pk])
    data = {"user": membership.user_id, "tenant": membership.tenant_id, "role": "operator"}
    businesses.browser("owner").post(address, data)
    membership.refresh_from_db()
    assert membership.role == "operator"


def test_offers_no_choice_from_another_business(businesses: TwoBusinesses) -> None:
    assert 'name="user"' not in text_of(businesses.browser("owner"), "/admin/tenants/membership/add/")
    tenant("second")
    Membership.objects.create(user=businesses.people["owner"], tenant=Tenant.objects.get(slug="second"), role="owner")
    page = text_of(businesses.browser("owner"), "/admin/tenants/membership/add/")
    assert "Business ours" in page
    assert "our-viewer" in page
    assert "Business theirs" not in page
    assert "stranger" not in page


def test_refuses_a_forged_choice_of_another_business(businesses: TwoBusinesses) -> None:
    data = {"user": businesses.people["owner"].pk, "tenant": businesses.theirs.pk, "role": "owner"}
    response = businesses.browser("owner").post("/admin/tenants/membership/add/", data)
    assert response.status_code == 200  # the form again, with its error
    assert not Membership.objects.filter(user=businesses.people["owner"], tenant=businesses.theirs).exists()


def test_filters_name_no_other_business(businesses: TwoBusinesses) -> None:
    tenant("third")
    person("both", ours=Role.OWNER, theirs=Role.VIEWER)
    page = text_of(businesses.browser("owner"), "/admin/tenants/membership/")
    assert "theirs" not in page
    assert "third" not in page


def test_an_action_reaches_only_rows_the_role_may_change(businesses: TwoBusinesses) -> None:
    """Someone who is an owner here and a viewer there deletes memberships only here."""
    both = person("both", ours=Role.OWNER, theirs=Role.VIEWER)
    here = Membership.objects.get(user=businesses.people["viewer"])
    there = Membership.objects.get(user=businesses.people["stranger"])
    client = Client()
    client.force_login(both)
    data = {"action": "delete_selected", "_selected_action": [here.pk, there.pk], "post": "yes"}
    client.post("/admin/tenants/membership/", data)
    assert not Membership.objects.filter(pk=here.pk).exists()
    assert Membership.objects.filter(pk=there.pk).exists()


def test_another_business_does_not_seem_to_exist(businesses: TwoBusinesses) -> None:
    address = reverse("admin:tenants_tenant_change", args=[businesses.theirs.pk])
    response = businesses.browser("owner").get(address)
    assert response.status_code == 404
    assert b"Business theirs" not in response.content


@pytest.mark.parametrize("who", ["viewer", "operator", "owner"])
def test_only_superusers_see_users_and_groups(businesses: TwoBusinesses, who: str) -> None:
    client = businesses.browser(who)
    for page in ("/admin/auth/user/", "/admin/auth/user/add/", "/admin/auth/group/"):
        assert client.get(page).status_code == 403


def test_makes_a_new_member_staff(businesses: TwoBusinesses) -> None:
    newcomer = User.objects.create_user("newcomer")
    data = {"user": newcomer.pk, "tenant": businesses.ours.pk, "role": "viewer"}
    businesses.browser("superuser").post("/admin/tenants/membership/add/", data)
    newcomer.refresh_from_db()
    assert newcomer.is_staff


def test_lists_with_a_constant_number_of_queries(
    businesses: TwoBusinesses, django_assert_max_num_queries: object
) -> None:
    for number in range(20):
        person(f"more-{number}", ours=Role.VIEWER)
    client = businesses.browser("owner")
    client.get("/admin/")  # the first page also notes the session
    with django_assert_max_num_queries(9):  # type: ignore[operator]
        client.get("/admin/tenants/membership/")


def test_a_session_ends_with_the_membership_the_business_or_the_person(businesses: TwoBusinesses) -> None:
    client, address = businesses.browser("operator"), "/admin/conversations/conversation/"
    person, ours = businesses.people["operator"], Tenant.objects.filter(pk=businesses.ours.pk)
    assert client.get(address).status_code == 200
    ours.update(is_active=False)
    assert client.get(address).status_code == 403
    assert text_of(businesses.browser("superuser"), "/admin/tenants/tenant/").count("Business ours")
    ours.update(is_active=True)
    assert client.get(address).status_code == 200
    User.objects.filter(pk=person.pk).update(is_active=False)
    assert client.get(address).status_code == 302
    User.objects.filter(pk=person.pk).update(is_active=True)
    Membership.objects.filter(user=person).delete()
    assert client.get(address).status_code == 403


def test_all_our_admins_are_scoped() -> None:
    ours = {"tenants", "webhooks", "notifications", "conversations", "leads", "assistant", "whatsapp", "api", "auth"}
    for model, model_admin in admin.site._registry.items():
        if model._meta.app_label in ours:
            assert isinstance(model_admin, TenantScopedAdmin), model
    assert Tenant in admin.site._registry
