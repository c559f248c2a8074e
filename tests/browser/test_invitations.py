"""Inviting and accepting in the browser, as an owner and their colleagues do."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Desk

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.django_db(transaction=True)]


def test_someone_new_and_someone_with_an_account_join(desk: Desk) -> None:
    owner = desk.page_of("owner", "/admin/tenants/membership/add/")
    owner.get_by_label("Email address").fill("new@example.test")
    owner.get_by_role("button", name="Save", exact=True).click()
    link = owner.locator("code").inner_text()
    owner.get_by_role("button", name="Copy").click()
    expect(owner.get_by_role("button", name=re.compile("Copied|Selected"))).to_be_visible()

    page = desk.window().new_page()
    page.goto(desk.url + "/invitation/" + link.split("/invitation/")[1])
    page.locator("[name=new_password1]").fill("a long and quiet road")
    page.locator("[name=new_password2]").fill("a long and quiet road")
    button = page.get_by_role("button", name="Create account and join")
    assert button.evaluate("node => getComputedStyle(node).backgroundColor") != "rgba(0, 0, 0, 0)"
    button.click()
    expect(page.get_by_text("Welcome to Business ours. Your username is new@example.test.")).to_be_visible()

    owner.goto(desk.url + "/admin/tenants/membership/add/")
    owner.get_by_label("Email address").fill("stranger@example.test")
    owner.get_by_role("button", name="Save", exact=True).click()
    expect(owner.get_by_text("stranger@example.test already has an account.")).to_be_visible()
    owner.get_by_role("link", name="Continue").click()
    expect(owner.get_by_text("Waiting for them to sign in")).to_be_visible()
    stranger = desk.page_of("stranger")
    expect(stranger.get_by_text("Business ours invited you to its team as operator.")).to_be_visible()
    stranger.get_by_role("button", name="Accept").click()
    expect(stranger.get_by_text("You're now a member of Business ours.")).to_be_visible()
