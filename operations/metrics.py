"""`/metrics` for Prometheus: the state of the whole installation, read from the database when it's scraped.

So it's the same from every process on every machine, and survives restarts. Counts "today" start again at midnight UTC.
"""

import logging
import threading
import time
from collections.abc import Iterable, Sequence

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from assistant.model import errors as model_errors
from operations.doctor.work import queue_ages
from operations.health import WORKER_SECONDS
from operations.models import MetricCount
from runtime.jobs import QUEUES
from runtime.processes import counters
from runtime.row_security.scope import all_businesses
from whatsapp.graph import errors as graph_errors
from whatsapp.graph.access import held_numbers

logger = logging.getLogger(__name__)

CACHE_SECONDS = 10  # however often it's scraped

_TODAY = "date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'"

# Name, help, labels, SQL: the labels' values and then the number. Each reads an index, or today's rows only.
GAUGES: Sequence[tuple[str, str, Sequence[str], str]] = (
    (
        "parley_turns_today",
        "Turns that were opened today, by state and outcome.",
        ("state", "outcome"),
        "SELECT state, outcome, count(*) FROM turns WHERE opened_at >= {today} GROUP BY 1, 2",
    ),
    (
        "parley_messages_today",
        "Messages stored today, by role (user: from customers) and status.",
        ("role", "status"),
        "SELECT role, status, count(*) FROM conversation_messages WHERE created_at >= {today} GROUP BY 1, 2",
    ),
    (
        "parley_model_tokens_today",
        "Tokens of the turns that were opened today, by kind. Cached ones are also prompt tokens.",
        ("kind",),
        """SELECT kind, COALESCE(sum(tokens), 0) FROM turns CROSS JOIN LATERAL (VALUES
            ('prompt', prompt_tokens), ('cached', cached_tokens), ('completion', completion_tokens)) AS t (kind, tokens)
            WHERE opened_at >= {today} GROUP BY 1""",
    ),
    (
        "parley_model_answers_today",
        "Answers of the model that were used in the turns that were opened today: tool calls and replies.",
        (),
        """SELECT (SELECT count(*) FROM turns WHERE opened_at >= {today} AND outcome = 'replied')
            + (SELECT count(*) FROM turn_steps s JOIN turns t ON t.id = s.turn_id WHERE t.opened_at >= {today})""",
    ),
    (
        "parley_reply_seconds",
        "From a customer's first message to the reply, of the turns replied to in the last hour.",
        ("quantile",),
        """SELECT quantile::text, percentile_cont(quantile) WITHIN GROUP (
                ORDER BY extract(epoch FROM finished_at - opened_at)::float)
            FROM turns CROSS JOIN (VALUES (0.5), (0.95), (0.99)) AS q (quantile)
            WHERE opened_at >= now() - interval '1 hour' AND state = 'replied' GROUP BY quantile""",
    ),
    (
        "parley_conversations_flagged",
        "Conversations that need a person.",
        (),
        "SELECT count(*) FROM conversations WHERE needs_person <> ''",
    ),
    (
        "parley_messages_unsent",
        "Messages that wait to be sent or are being sent, by status.",
        ("status",),
        "SELECT status, count(*) FROM conversation_messages WHERE status IN ('queued', 'sending') GROUP BY 1",
    ),
    (
        "parley_webhook_deliveries_waiting",
        "Deliveries of outgoing webhooks that wait for their first or next attempt.",
        (),
        "SELECT count(*) FROM webhook_deliveries WHERE status = 'waiting'",
    ),
    (
        "parley_webhook_deliveries_today",
        "Deliveries of the events of today, by status.",
        ("status",),
        """SELECT d.status, count(*) FROM webhook_events e JOIN webhook_deliveries d ON d.event_id = e.id
            WHERE e.created_at >= {today} GROUP BY 1""",
    ),
    (
        "parley_webhook_events_quarantined",
        "Events from Meta that couldn't be stored and haven't been resolved.",
        (),
        "SELECT count(*) FROM quarantined_events WHERE resolved_at IS NULL",
    ),
    (
        "parley_workers",
        "Worker processes that have reported lately.",
        (),
        """SELECT ceil(count(*) / {queues}.0) FROM procrastinate_workers
            WHERE last_heartbeat > now() - {seconds} * interval '1 second'""",
    ),
    (
        "parley_database_connections",
        "Connections to the database server, by state.",
        ("state",),
        """SELECT COALESCE(state, 'unknown'), count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'
            GROUP BY 1""",
    ),
    (
        "parley_database_connections_limit",
        "How many connections the database server accepts.",
        (),
        "SELECT current_setting('max_connections')::int",
    ),
)
_HELD = """
SELECT count(*) FROM conversation_messages m JOIN conversations c ON c.id = m.conversation_id
WHERE m.status = 'queued' AND c.phone_number_id = ANY (%s)
"""

# What processes count. Name, help, labels, and the values that are shown from the start: Prometheus notices an increase
# from 0 to 1, but not a new series.
COUNTERS: Sequence[tuple[str, str, Sequence[str], Iterable[str]]] = (
    (
        "parley_webhook_requests_total",
        "Deliveries from Meta, by the status of the response.",
        ["status"],
        ["200", "403", "413", "429", "503"],
    ),
    (
        "parley_graph_calls_total",
        "Requests to Meta's Graph API, by outcome: ok, or the class of the error.",
        ["outcome"],
        ["ok", *sorted(rule.name for rule in vars(graph_errors).values() if isinstance(rule, graph_errors.Rule))],
    ),
    (
        "parley_model_calls_total",
        "Requests to a model, by outcome: answered, or the kind of failure.",
        ["outcome"],
        ["answered", *model_errors.RULES],
    ),
    ("parley_worker_rounds_total", "Rounds of the workers' loops.", ["loop", "outcome"], []),
)
WEBHOOK_SECONDS = "parley_webhook_seconds"

_lock = threading.Lock()
_latest = (-CACHE_SECONDS * 1.0, b"")  # when it was read, and the text


class Installation:
    """A collector, in prometheus-client's words."""

    def collect(self) -> Iterable[Metric]:
        ages = GaugeMetricFamily("parley_queue_age_seconds", "How long the oldest row has been due.", labels=["queue"])
        numbers = list(held_numbers())
        for queue, seconds in queue_ages(numbers).items():
            ages.add_metric([queue.replace(" ", "_")], seconds)
        yield ages
        with connection.cursor() as cursor:
            for name, text, labels, query in GAUGES:
                gauge = GaugeMetricFamily(name, text, labels=labels)
                cursor.execute(query.format(today=_TODAY, queues=len(QUEUES), seconds=WORKER_SECONDS))
                for *values, number in cursor.fetchall():
                    gauge.add_metric(values, float(number))
                yield gauge
            cursor.execute(_HELD, [numbers])
            (held,) = cursor.fetchone()
        yield GaugeMetricFamily("parley_messages_held", "Queued messages of paused numbers.", value=held)
        yield from _counted()


def _counted() -> Iterable[Metric]:
    counters.save()
    totals = {(row.name, *sorted(row.labels.items())): row.value for row in MetricCount.objects.all()}
    for name, text, labels, known in COUNTERS:
        found = {tuple(value for _, value in pairs): total for (of, *pairs), total in totals.items() if of == name}
        counter = CounterMetricFamily(name, text, labels=labels)
        for values, total in {**{(value,): 0.0 for value in known}, **found}.items():
            counter.add_metric(values, total)
        yield counter
    limits = [*(f"{limit:g}" for limit in counters.BUCKETS), "+Inf"]
    buckets = [(limit, totals.get((f"{WEBHOOK_SECONDS}_bucket", ("le", limit)), 0)) for limit in limits]
    yield HistogramMetricFamily(
        WEBHOOK_SECONDS,
        "From the last byte of a delivery to its response.",
        buckets=buckets,
        sum_value=totals.get((f"{WEBHOOK_SECONDS}_sum",), 0),
    )


def metrics(request: HttpRequest) -> HttpResponse:
    """The metrics, for whoever has METRICS_TOKEN. Without that setting, there's no such page."""
    if not settings.METRICS_TOKEN:
        raise Http404
    given = request.headers.get("Authorization", "").encode("utf-8", "replace")
    if not constant_time_compare(given, f"Bearer {settings.METRICS_TOKEN}".encode()):
        return HttpResponse(
            "wrong token", status=401, headers={"WWW-Authenticate": "Bearer"}, content_type="text/plain"
        )
    try:
        return HttpResponse(_read(), content_type=CONTENT_TYPE_LATEST)
    except DatabaseError as error:
        logger.warning("metrics: %s", error)
        connection.close()
        return HttpResponse("the database is unavailable", status=503, content_type="text/plain")


@all_businesses()
def _read() -> bytes:
    """The text, read at most every CACHE_SECONDS in this process. Scrapes that come meanwhile wait for it."""
    global _latest
    with _lock:
        if time.monotonic() - _latest[0] >= CACHE_SECONDS:
            registry = CollectorRegistry(auto_describe=False)
            registry.register(Installation())
            _latest = time.monotonic(), generate_latest(registry)
        return _latest[1]
