"""Figures of the site for Prometheus, at /metrics: off until the environment says who may read them.

What the database knows is counted there when it is asked for, so that it is right however many processes
there are; only how long requests take is noted by each process, in a file that the others read.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from django.conf import settings
from django.db.models import Count, Sum
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from annotate import kinds
from annotate.models import Decision, PredictionTally, PredictionWindow, TrainingRun
from annotate.models.work import WorkState
from annotate.queues import QUEUES
from annotate.services.people.addresses import is_among, sender

ADDRESS = "/metrics"
# NB: the library looks at this variable when it is imported; settings set it where figures are to be read.
SHARED = os.environ.get("PROMETHEUS_MULTIPROC_DIR", "")
if SHARED:
    Path(SHARED).mkdir(parents=True, exist_ok=True)

OWN = CollectorRegistry()
REQUEST_SECONDS = Histogram(
    "winnow_request_seconds",
    "How long requests took, by the name of their address.",
    ["address"],
    buckets=(0.01, 0.03, 0.1, 0.3, 1, 3, 10),
    registry=OWN,
)


class StoredFigures(Collector):
    """What the database knows. All are gauges: they shrink when a project is deleted."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield GaugeMetricFamily(
            "winnow_decisions", "Decisions that are stored.", value=Decision.objects.count()
        )
        counted = [
            rows.aggregate(n=Sum("texts"))["n"] or 0
            for rows in (PredictionWindow.objects.all(), PredictionTally.objects.all())
        ]
        yield GaugeMetricFamily("winnow_predictions", "Texts that were predicted and counted.", sum(counted))
        runs = GaugeMetricFamily("winnow_runs", "Trainings.", labels=["family", "state"])
        for family, state, number in _runs():
            runs.add_metric([family, state], number)
        yield runs
        waiting = GaugeMetricFamily("winnow_work_waiting", "Work that waits for a worker.", labels=["queue"])
        for queue in QUEUES:
            rows = (kind.filter(state=WorkState.QUEUED).count() for kind in kinds.rows_of(queue))
            waiting.add_metric([queue], sum(rows))
        yield waiting


def _runs() -> Iterator[tuple[str, str, int]]:
    rows = TrainingRun.objects.order_by("family", "state").values_list("family", "state")
    return rows.annotate(n=Count("pk")).iterator()


def is_on() -> bool:
    return bool(settings.METRICS_TOKEN or settings.METRICS_NETWORKS)


def may_read(request: HttpRequest) -> bool:
    """Tell whether a request brings the token, or comes from a network that may read without one."""
    kind, _space, token = request.headers.get("Authorization", "").partition(" ")
    is_known = kind.lower() == "bearer" and constant_time_compare(token, settings.METRICS_TOKEN)
    return bool(settings.METRICS_TOKEN and is_known) or is_among(sender(request), settings.METRICS_NETWORKS)


def answer() -> HttpResponse:
    registry = CollectorRegistry()
    registry.register(StoredFigures())
    if SHARED:
        MultiProcessCollector(registry, SHARED)  # type: ignore[no-untyped-call]
    else:
        registry.register(OWN)
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_PLAIN_0_0_4)


def measure_requests(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Note how long each request takes. Whoever may not read the figures finds nothing at their address."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if not is_on():
            return get_response(request)
        if request.path_info == ADDRESS and may_read(request):
            return answer()
        began = time.perf_counter()
        response = get_response(request)
        found = request.resolver_match
        name = found.url_name or "other" if found else "none"
        REQUEST_SECONDS.labels(name).observe(time.perf_counter() - began)
        return response

    return middleware
