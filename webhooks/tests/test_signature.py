"""Webhooks are signed as Standard Webhooks defines it."""

import base64
import textwrap
import time
from pathlib import Path
from typing import Any

from webhooks import signature

SECRET = signature.new_secret()


def test_signatures_are_those_of_standard_webhooks() -> None:
    """The vector is one of the specification's own libraries."""
    headers = signature.sign(
        "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}', "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    )
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_secrets_are_as_long_as_the_specification_asks_for() -> None:
    secret = signature.new_secret()
    assert secret.startswith("whsec_")
    assert 24 <= len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) <= 64
    assert signature.new_secret() != secret


def test_the_code_in_the_documentation_verifies_signatures() -> None:
    text = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text(encoding="utf-8")
    recipe = text[text.index("    import base64") :].split("\n\nTo try")[0]
    known: dict[str, Any] = {}
    exec(textwrap.dedent(recipe), known)
    now = int(time.time())
    headers = signature.sign("1", now, b"{}", SECRET)
    assert known["is_from_parley"](headers, b"{}", SECRET)
    assert not known["is_from_parley"](headers, b"{ }", SECRET)
    assert not known["is_from_parley"](headers, b"{}", signature.new_secret())
    assert not known["is_from_parley"]({**headers, "webhook-id": "2"}, b"{}", SECRET)
    assert not known["is_from_parley"](signature.sign("1", now - 600, b"{}", SECRET), b"{}", SECRET)
