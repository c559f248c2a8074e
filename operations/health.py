"""Health checks: `/healthz` for the web process, `/readyz` for everything it depends on."""

import logging
from collections.abc import Callable

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from procrastinate.contrib.django.models import ProcrastinateWorker

from runtime.clock import ago
from runtime.processes import stopping

logger = logging.getLogger(__name__)

WORKER_SECONDS = 60  # how recent a worker's heartbeat must be


def alive(request: HttpRequest) -> JsonResponse:
    """`/healthz`: this process responds."""
    return JsonResponse({"ok": True})


def ready(request: HttpRequest) -> JsonResponse:
    """`/readyz`: 200 if every check passes, else 503. The JSON shows each check, or that this process is stopping."""
    if stopping.announced.is_set():
        return JsonResponse({"ok": False, "stopping": True}, status=503)
    checks = {name: _works(check) for name, check in CHECKS.items()}
    ok = all(checks.values())
    return JsonResponse({"ok": ok, **checks}, status=200 if ok else 503)


def _works(check: Callable[[], bool]) -> bool:
    try:
        return check()
    except DatabaseError as error:
        logger.warning("readyz: %s", error)
        connection.close()
        return False


def _database() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return True


def _migrations() -> bool:
    executor = MigrationExecutor(connection)
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())


def _worker() -> bool:
    return ProcrastinateWorker.objects.filter(last_heartbeat__gt=ago(WORKER_SECONDS)).exists()


CHECKS = {"database": _database, "migrations": _migrations, "worker": _worker}
