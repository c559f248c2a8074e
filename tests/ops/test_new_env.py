"""The settings that `ops/new_env.py` writes: Parley starts with them, and they're never overwritten."""

import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def env_file(tmp_path: Path) -> Path:
    write(tmp_path / "env")
    return tmp_path / "env"


def write(file: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "ops/new_env.py", "parley.example.com", "--to", str(file)]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)


def test_only_its_owner_can_read_them(env_file: Path) -> None:
    assert env_file.stat().st_mode & 0o777 == 0o600


def test_they_are_never_overwritten(env_file: Path) -> None:
    before = env_file.read_text()
    again = write(env_file)
    assert (again.returncode, env_file.read_text()) == (1, before)
    assert "isn't overwritten" in again.stderr


def test_they_pass_the_checks_for_deployment(env_file: Path) -> None:
    check = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    done = subprocess.run(
        check, cwd=PROJECT, env={"ENV_FILE": str(env_file)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
