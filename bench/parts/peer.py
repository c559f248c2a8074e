"""The stack that a Django developer would usually build, beside Parley: Celery and Redis, one task per message.

It runs on the same PostgreSQL, the same server for its webhook, and the same stand-ins. Celery gets a pool of threads,
as many as the database has connections for: its default of one process per core would answer two messages at a time.
Redis isn't counted in its CPU per reply.
"""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator

from bench import conversing, database, load, stack
from bench.conversing import CONVERSATIONS, GRAPH_SECONDS, HEADS, MODEL_SECONDS
from bench.stack import REDIS_PORT, WEB_PORT, Scale
from bench.tables import Goal, Skipped, goal, print_table, ratio

from . import webhook

THREADS = 100


def run(scale: Scale) -> list[Goal]:
    if not shutil.which("redis-server"):
        raise Skipped("redis-server is missing. Debian, Ubuntu: apt install redis-server")
    database.empty()
    with stack.web():
        our_webhook = load.webhook(scale.seconds)
    ours = conversing.measure(scale.seconds * 2)
    with _redis():
        stack.run_peer("-m", "django", "migrate", "--run-syncdb", environment=_environment())
        database.execute("TRUNCATE usual_conversation CASCADE")
        with _web():
            their_webhook = load.webhook(scale.seconds)
    with _redis():  # without the tasks of that load
        database.execute("TRUNCATE usual_conversation CASCADE")
        theirs = conversing.measure(scale.seconds * 2, web=_web, workers=[_worker])
    rows = [webhook.row("Parley", our_webhook), webhook.row("Django, Celery, Redis", their_webhook, our_webhook)]
    print_table(f"Webhook of the usual stack, {load.CONNECTIONS} connections", webhook.HEADS, rows)
    title = (
        f"Replies of the usual stack: model {MODEL_SECONDS} s, Graph {GRAPH_SECONDS} s, {CONVERSATIONS} conversations"
    )
    print_table(title, HEADS, [ours.row("Parley"), theirs.row("Django, Celery, Redis")])
    times = ratio(ours.per_core, theirs.per_core)
    figure = f"{times:.1f} × ({ours.cpu:.1f} ms against {theirs.cpu:.1f} ms of CPU per reply)"
    return [goal("replies per core, against Django with Celery", figure, "at least 5 ×", times >= 5)]


def _environment() -> dict[str, str]:
    return {
        **database.libpq(),
        "DJANGO_SETTINGS_MODULE": "bench.peers.usual.settings",
        "BENCH_REDIS": f"redis://127.0.0.1:{REDIS_PORT}/0",
    }


@contextlib.contextmanager
def _redis() -> Iterator[None]:
    with tempfile.TemporaryDirectory() as folder:
        options = ("--port", str(REDIS_PORT), "--bind", "127.0.0.1", "--dir", folder)
        with stack.running(*options, program="redis-server", port=REDIS_PORT):
            yield


@contextlib.contextmanager
def _web() -> Iterator[int]:
    size = ("-w", str(stack.WEB_PROCESSES), "--threads", str(stack.WEB_THREADS))
    command = ("-m", "gunicorn", "-b", f"127.0.0.1:{WEB_PORT}", "-k", "gthread", *size, "bench.peers.usual.wsgi")
    with stack.peer(*command, port=WEB_PORT, environment=_environment()) as pid:
        stack.warm_up()
        yield pid


@contextlib.contextmanager
def _worker() -> Iterator[int]:
    options = ("--pool", "threads", "--concurrency", str(THREADS), "--loglevel", "error")
    with stack.peer(
        "-m", "celery", "-A", "bench.peers.usual.tasks", "worker", *options, environment=_environment()
    ) as pid:
        yield pid
