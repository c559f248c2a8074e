"""The embedded PostgreSQL: the first process that connects starts it, and it stops with the last one, however that
ends."""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.embedded_postgres import server
from config.embedded_postgres.base import DatabaseWrapper
from config.embedded_postgres.cluster import Cluster, ClusterError

from .database_user import PROJECT, WHO_SERVES, Use, User, keeper_of, nothing_runs, wait_until

pytestmark = pytest.mark.xdist_group("embedded_postgres")


@pytest.fixture
def use() -> Iterator[Use]:
    """Creates a `User`; those left by a failed test are killed."""
    users: list[User] = []

    def make(data: Path, query: str = WHO_SERVES, **environment: str) -> User:
        users.append(User(data, query, **environment))
        return users[-1]

    yield make
    for user in users:
        user.kill()


@pytest.fixture
def new_data() -> Iterator[Path]:
    """A data folder that doesn't exist yet, with a path short enough for a socket."""
    folder = Path(tempfile.mkdtemp(prefix="parley-test-"))
    data = folder / "pg"
    yield data
    wait_until(lambda: nothing_runs(data))
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def shared_data() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="parley-test-"))
    yield folder / "pg"
    shutil.rmtree(folder)


@pytest.fixture
def data(shared_data: Path) -> Iterator[Path]:
    """A data folder that may have been used before. Checks that no server uses it afterwards."""
    yield shared_data
    wait_until(lambda: nothing_runs(shared_data))


def test_the_first_process_starts_it_and_the_last_one_stops_it(new_data: Path, use: Use) -> None:
    first = use(new_data)
    pid = first.answer()
    second = use(new_data)
    assert second.answer() == pid
    first.leave()
    assert Cluster(new_data).is_alive()
    second.leave()
    assert not Cluster(new_data).is_alive(), "gone when the last process is gone, not some time later"


def test_processes_that_start_at_the_same_time_share_one_server(new_data: Path, use: Use) -> None:
    users = [use(new_data) for _ in range(4)]
    assert len({user.answer() for user in users}) == 1
    for user in users:
        user.leave()


def test_processes_that_come_and_go_never_find_it_half_stopped(data: Path, use: Use) -> None:
    failures: list[BaseException] = []

    def come_and_go() -> None:
        try:
            for _ in range(4):
                user = use(data)
                user.answer()
                user.leave()
        except BaseException as error:  # noqa: BLE001 - handed to the test
            failures.append(error)

    threads = [threading.Thread(target=come_and_go) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_it_stops_when_its_last_user_was_killed(data: Path, use: Use) -> None:
    killed = use(data)
    killed.answer()
    killed.kill()
    wait_until(lambda: nothing_runs(data))


def test_it_stops_with_its_last_user_when_the_keeper_was_killed(data: Path, use: Use) -> None:
    user = use(data)
    user.answer()
    os.kill(keeper_of(data), signal.SIGKILL)
    user.leave()
    assert not Cluster(data).is_alive()


def test_a_newcomer_replaces_a_killed_keeper(data: Path, use: Use) -> None:
    first = use(data)
    pid = first.answer()
    os.kill(keeper_of(data), signal.SIGKILL)
    second = use(data)
    assert second.answer() == pid
    assert keeper_of(data)
    first.kill()
    second.kill()
    wait_until(lambda: nothing_runs(data))


def test_it_starts_again_after_the_server_was_killed_and_keeps_the_data(data: Path, use: Use) -> None:
    query = "CREATE TABLE IF NOT EXISTS kept AS SELECT 42 AS answer"
    user = use(data, query)
    user.answer()
    pid = int((data / "postmaster.pid").read_text().splitlines()[0])
    os.kill(pid, signal.SIGKILL)
    user.leave()
    wait_until(lambda: nothing_runs(data))
    reader = use(data, "SELECT answer FROM kept")
    assert reader.answer() == "42"
    reader.leave()


def test_a_reused_process_id_is_not_mistaken_for_the_server(data: Path, use: Use) -> None:
    use(data).leave()
    left_behind = data / "postmaster.pid"
    left_behind.write_text(f"{os.getpid()}\n{data}\n1\n5432\n{data}\n\n  1 1\nready\n")
    shutil.chown(left_behind, data.stat().st_uid, data.stat().st_gid)
    user = use(data)
    assert user.answer() != str(os.getpid())
    user.leave()


def test_an_interrupted_creation_starts_over(new_data: Path, use: Use) -> None:
    half = new_data.with_name("pg.new")
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    user = use(new_data)
    assert user.answer().isdigit()
    user.leave()


@pytest.mark.parametrize("name", ["x" * 150, "with space, comma, 'quote', \"quotes\", $HOME and ü"])
def test_any_path_will_do(new_data: Path, name: str, use: Use) -> None:
    data = new_data.parent / name / "pg"
    user = use(data)
    assert user.answer().isdigit()
    user.leave()
    assert Cluster(data).socket_folder == data or not Cluster(data).socket_folder.exists()


def test_it_ignores_postgresql_variables_of_the_environment(new_data: Path, use: Use) -> None:
    bent = use(new_data, PGPORT="1", PGDATA="/nowhere", PGUSER="nobody", LC_ALL="xx_XX", LANG="xx_XX", PGHOST="away")
    pid = bent.answer()
    plain = use(new_data)
    assert plain.answer() == pid
    bent.leave()
    plain.leave()


def test_it_supports_the_letters_of_all_languages(data: Path, use: Use) -> None:
    user = use(data, "SELECT upper('привет, größte')")
    assert user.answer() == "ПРИВЕТ, GRÖßTE"
    user.leave()


def test_threads_and_forked_children_use_it_too(data: Path) -> None:
    wrapper = {"ENGINE": "config.embedded_postgres", "NAME": "postgres", "DATA_FOLDER": str(data)}
    script = f"""
import os, threading
from django.conf import settings
settings.configure(DATABASES={{"default": {wrapper!r}}})
from django.db import connection
def ask():
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    connection.close()
threads = [threading.Thread(target=ask) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
if os.fork() == 0:
    ask()
    raise SystemExit
assert os.wait()[1] == 0
ask()  # the child's leaving stopped nothing
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert not Cluster(data).is_alive()


def test_a_missing_wheel_is_named(monkeypatch: pytest.MonkeyPatch, new_data: Path) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ClusterError, match=r"Set DATABASE_URL .* or install the wheel"):
        Cluster(new_data).start()


def test_a_failed_start_says_why(new_data: Path) -> None:
    new_data.mkdir()
    (new_data / "PG_VERSION").write_text("9\n")
    wrapper = DatabaseWrapper({"NAME": "postgres", "DATA_FOLDER": str(new_data)})
    with pytest.raises(ImproperlyConfigured, match=r"(?s)did not start.*pg\.log"):
        wrapper.get_connection_params()
    assert (os.getpid(), new_data) not in server._joined


def test_with_a_database_url_it_is_not_even_imported() -> None:
    script = (
        "import sys, django; django.setup(); from django.db import connection; connection.vendor; "
        "print([name for name in sys.modules if 'embedded_postgres' in name or 'pgserver' in name])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=PROJECT,
        env={
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "DEBUG": "true",
            "DATABASE_URL": "postgres://somebody@database.invalid/parley",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "[]", done.stderr
