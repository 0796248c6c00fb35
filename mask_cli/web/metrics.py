"""Figures for Prometheus; those of several workers are added up."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest, multiprocess
from prometheus_client.values import ValueClass

if TYPE_CHECKING:
    from mask_cli.routing import Route

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SHARED = "PROMETHEUS_MULTIPROC_DIR"
"""The variable that names the folder in which workers share their figures."""
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """One worker's figures; no label ever holds what somebody else chose."""

    def __init__(self) -> None:
        own = self._registry = CollectorRegistry()
        self._requests = Counter(
            "mask_requests", "Requests by hook and status.", ["hook", "status"], registry=own
        )
        self._routes = Counter(
            "mask_routes", "Decisions by action and reason.", ["action", "reason"], registry=own
        )
        self._refused = Counter(
            "mask_refused", "Requests that were not the provider's.", ["why"], registry=own
        )
        self._repeated = Counter(
            "mask_repeated", "Repeated requests, answered again without effect.", registry=own
        )
        self._storage = Counter(
            "mask_storage_failures", "Times the database could not be used.", registry=own
        )
        self._faults = Counter("mask_faults", "Faults in mask itself.", registry=own)
        self._seconds = Histogram(
            "mask_request_seconds", "Time to answer.", ["hook"], buckets=_BUCKETS, registry=own
        )

        # Looking a child up by its labels costs more than counting.
        self._answers = cache(
            lambda hook, status: (
                self._requests.labels(hook, str(status)),
                self._seconds.labels(hook),
            )
        )
        self._decisions = cache(self._routes.labels)

    def answered(self, hook: str, status: int, seconds: float) -> None:
        """Count an answer."""
        requests, took = self._answers(hook, status)
        requests.inc()
        took.observe(seconds)

    def routed(self, route: Route) -> None:
        """Count a decision."""
        self._decisions(route.action, route.reason).inc()

    def refused(self, why: str) -> None:
        """Count a request that was not let in."""
        self._refused.labels(why).inc()

    def repeated(self) -> None:
        """Count a repetition."""
        self._repeated.inc()

    def storage_failed(self) -> None:
        """Count a failure of the database: this one is to be alarmed on."""
        self._storage.inc()

    def fault(self) -> None:
        """Count a fault in mask itself: this one, too."""
        self._faults.inc()

    def text(self) -> bytes:
        """Return what Prometheus reads."""
        if not _shared():
            return generate_latest(self._registry)
        whole = CollectorRegistry()
        multiprocess.MultiProcessCollector(whole)  # type: ignore[no-untyped-call]
        return generate_latest(whole)


def _shared() -> bool:
    return "Mmap" in getattr(ValueClass, "__name__", "")
