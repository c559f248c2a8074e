"""The first `make run` or `make test` writes a development `.env`, once, and only where nothing else is configured."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from config import env_file

PROJECT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ENV_FILE", "SECRET_KEY", "DEBUG"):
        monkeypatch.delenv(name, raising=False)


def test_the_settings_start_with_it_and_no_variable_set(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    assert env_file.write_for_development(path)
    command = "import config.settings as s; print(s.DEBUG, s.SANDBOX, len(s.SECRET_KEY), len(s.FIELD_ENCRYPTION_KEYS))"
    started = subprocess.run(
        [sys.executable, "-c", command],
        cwd=PROJECT,
        env={"ENV_FILE": str(path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert started.stdout.split() == ["True", "True", "67", "1"], started.stderr


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    env_file.write_for_development(tmp_path / ".env")
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600


def test_each_has_secrets_of_its_own(tmp_path: Path) -> None:
    for name in ("one", "two"):
        env_file.write_for_development(tmp_path / name)
    lines = [set((tmp_path / name).read_text().splitlines()) for name in ("one", "two")]
    assert {line.partition("=")[0] for line in lines[0] - lines[1]} == {"SECRET_KEY", "FIELD_ENCRYPTION_KEYS"}


def test_an_existing_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("DEBUG=false\n")
    assert not env_file.write_for_development(path)
    assert path.read_text() == "DEBUG=false\n"


@pytest.mark.parametrize(("name", "value"), [("SECRET_KEY", "s"), ("ENV_FILE", ""), ("DEBUG", "false")])
def test_nothing_is_written_where_the_environment_has_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    assert not env_file.write_for_development(tmp_path / ".env")
    assert os.listdir(tmp_path) == []
