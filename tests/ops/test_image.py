"""The image: what goes into it, and how compose.yaml runs it. `ops/try_image` builds and runs it."""

import re
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
COMPOSE: dict[str, Any] = yaml.safe_load((PROJECT / "compose.yaml").read_text(encoding="utf-8"))
OURS = [name for name, service in COMPOSE["services"].items() if service["image"] == "parley"]
IGNORED = [
    line
    for line in (PROJECT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]


def is_ignored(path: str) -> bool:
    """As far as our patterns go: at the top, or anywhere with `**/`."""
    parts = path.split("/")
    return any(
        any(fnmatch(part, pattern[3:]) for part in parts) if pattern.startswith("**/") else fnmatch(parts[0], pattern)
        for pattern in IGNORED
    )


def test_the_dockerfile_passes_hadolint() -> None:
    subprocess.run([BIN / "hadolint", PROJECT / "Dockerfile"], check=True)


def test_the_scripts_pass_shellcheck() -> None:
    named = [*PROJECT.glob("ops/*"), PROJECT / ".ci" / "run"]
    scripts = [file for file in named if file.is_file() and re.match(rb"#!.*sh\n", file.read_bytes()[:80])]
    assert len(scripts) >= 2
    subprocess.run([BIN / "shellcheck", *scripts], check=True)


@pytest.mark.parametrize(
    "path",
    [
        ".env",
        ".env.local",
        ".data/media/photo.jpg",
        ".git/config",
        ".venv/bin/python",
        "tests/stage.py",
        "leads/tests/test_api.py",
    ],
)
def test_secrets_data_and_tests_stay_out_of_the_image(path: str) -> None:
    assert is_ignored(path)


def test_all_code_is_in_the_image() -> None:
    packages = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["importlinter"]["root_packages"]
    needed = [*(f"{name}/__init__.py" for name in packages), "manage.py", "requirements.lock", "ops/alive.py"]
    assert [path for path in needed if is_ignored(path)] == []
    assert [path for path in needed if not (PROJECT / path).exists()] == []


@pytest.mark.parametrize("name", OURS)
def test_our_containers_have_no_rights_and_write_only_to_their_volume(name: str) -> None:
    service = COMPOSE["services"][name]
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["volumes"] == ["files:/data"]


def test_web_and_worker_wait_for_the_migrations_and_have_time_to_stop() -> None:
    from_settings = (PROJECT / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")
    (stop,) = re.findall(r"^\| `WORKER_STOP_SECONDS` \| `(\d+)`", from_settings, re.M)
    for name in ("web", "worker"):
        service = COMPOSE["services"][name]
        assert service["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}
        assert int(service["stop_grace_period"].removesuffix("s")) > int(stop)


def test_the_image_runs_as_an_ordinary_user_and_has_a_health_check() -> None:
    last = (PROJECT / "Dockerfile").read_text(encoding="utf-8").split("\nFROM ")[-1]
    assert re.search(r"^USER 10001:10001$", last, re.M)
    assert re.search(r"^HEALTHCHECK .+ CMD \[", last, re.M)
    assert "pip" not in last
