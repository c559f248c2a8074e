import hashlib
import hmac

import pytest

from whatsapp.webhook.signature import is_valid, sign

BODY = '{"entry":[],"text":"Grüße"}'.encode()


def test_it_signs_as_meta_does() -> None:
    assert sign(BODY, "s3cret") == "sha256=" + hmac.new(b"s3cret", BODY, hashlib.sha256).hexdigest()


def test_it_signs_with_a_secret_beyond_ascii() -> None:
    assert is_valid(BODY, sign(BODY, "schlüssel"), ["schlüssel"])


def test_it_signs_with_a_secret_that_the_environment_could_not_decode() -> None:
    expected = hmac.new(b"key\xff", BODY, hashlib.sha256).hexdigest()

    assert sign(BODY, "key\udcff") == f"sha256={expected}"


@pytest.mark.parametrize("secret", ["old", "new"])
def test_it_accepts_each_of_the_active_secrets(secret: str) -> None:
    assert is_valid(BODY, sign(BODY, secret), ["old", "new"])


def test_it_refuses_the_old_secret_after_the_rotation() -> None:
    assert not is_valid(BODY, sign(BODY, "old"), ["new"])


def test_it_accepts_secrets_from_a_generator() -> None:
    assert is_valid(BODY, sign(BODY, "new"), (secret for secret in ("old", "new")))


GOOD = sign(BODY, "s3cret")


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "sha256=",
        "sha1=" + hmac.new(b"s3cret", BODY, hashlib.sha1).hexdigest(),
        GOOD.removeprefix("sha256="),
        GOOD[:-1],
        GOOD + "0",
        GOOD.replace("sha256", "sha1"),
        GOOD[:-1] + ("0" if GOOD[-1] != "0" else "1"),
        GOOD.upper(),
        f" {GOOD}",
        "sha256=ü" + GOOD[8:],
        "sha256=" + "\ud800" * 64,
        "?" * 71,
        "\x00",
    ],
)
def test_it_refuses_any_other_header(header: str | None) -> None:
    assert is_valid(BODY, header, ["s3cret"]) is False


def test_it_refuses_another_apps_signature() -> None:
    assert not is_valid(BODY, sign(BODY, "stranger"), ["s3cret"])


@pytest.mark.parametrize("at", range(0, len(BODY), 5))
def test_it_refuses_a_body_with_one_bit_changed(at: int) -> None:
    changed = bytes(byte ^ (number == at) for number, byte in enumerate(BODY))

    assert not is_valid(changed, GOOD, ["s3cret"])


@pytest.mark.parametrize("secrets", [[], [""], [" "]])
def test_it_refuses_everything_when_there_is_no_secret(secrets: list[str]) -> None:
    header = sign(BODY, secrets[0] if secrets else "")

    assert not is_valid(BODY, header, secrets)
