"""What the content security policy forbids doesn't run, and our own pages don't need it.

The browser reports a violation as an error, and any error fails a test of the desk.
"""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Desk

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.django_db(transaction=True)]
# Adds a script to the page, as injected HTML would.
INJECT = """() => {
    const script = document.createElement('script');
    script.textContent = 'window.injected = true';
    document.body.append(script);
    return window.injected === true;
}"""


@pytest.mark.parametrize("path", ["/admin/login/", "/api/docs", "/sandbox/"])
def test_an_injected_script_does_not_run(desk: Desk, path: str) -> None:
    page = desk.window().new_page()
    page.goto(desk.url + path)
    assert not page.evaluate(INJECT)
    assert any("Content Security Policy" in problem for problem in desk.problems)
    desk.problems.clear()


def test_the_documentation_of_the_api_works(desk: Desk) -> None:
    page = desk.window().new_page()
    page.goto(desk.url + "/api/docs")
    expect(page.get_by_text("List conversations").first).to_be_visible()
