"""The lock files that `make run` and `make test` install from match the requirements. `make lock` updates them."""

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
LOCKS = {f"requirements{part}.txt": f"requirements{part}.lock" for part in ("", "-dev", "-audit")}


def versions(name: str) -> dict[str, str]:
    """The version of each package pinned in a file, by its normalised name."""
    pinned = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;]+)", text_of(name), re.M)
    return {re.sub(r"[-_.]+", "-", package).lower(): version for package, version in pinned}


def text_of(name: str) -> str:
    return (PROJECT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize(("requirements", "lock"), LOCKS.items())
def test_every_requirement_is_locked_to_its_version(requirements: str, lock: str) -> None:
    missing = versions(requirements).items() - versions(lock).items()
    assert versions(requirements)
    assert missing == set(), "run `make lock`"


def test_the_locks_for_running_and_for_working_on_parley_name_the_same_versions() -> None:
    assert versions("requirements.lock").items() - versions("requirements-dev.lock").items() == set()


@pytest.mark.parametrize("lock", LOCKS.values())
def test_every_package_has_a_hash(lock: str) -> None:
    packages = re.split(r"\n(?=\S)", text_of(lock).split("make lock\n")[1])
    assert [package for package in packages if "--hash=sha256:" not in package] == []


@pytest.mark.parametrize("lock", LOCKS.values())
def test_no_index_is_named(lock: str) -> None:
    assert re.findall(r"https?://|file:|^-", text_of(lock), re.M) == []


def test_pre_commit_runs_the_same_ruff() -> None:
    revision = re.search(r"ruff-pre-commit\n\s+rev: v(\S+)", text_of(".pre-commit-config.yaml"))
    assert revision
    assert revision[1] == versions("requirements-dev.txt")["ruff"], "change it in .pre-commit-config.yaml too"
