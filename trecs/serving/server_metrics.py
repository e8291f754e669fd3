"""What the server counts, in the text format of Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class ServerMetrics:
    """Counters of one server, in a registry of their own so that two can live in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "trecs_requests", "Predict requests.", ("api", "code"), registry=self.registry
        )
        self._seconds = Histogram(
            "trecs_request_seconds",
            "Time of predict requests.",
            ("api",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._rows = Histogram(
            "trecs_batch_rows", "Rows of a batch.", buckets=_ROWS, registry=self.registry
        )
        self._version = Gauge(
            "trecs_served_version", "Version that is served.", registry=self.registry
        )

    def request(self, api: str, code: str, seconds: float) -> None:
        """Count a request: `api` is rest or grpc, `code` OK or a gRPC status."""
        self._requests.labels(api, code).inc()
        self._seconds.labels(api).observe(seconds)

    def batch(self, rows: int) -> None:
        """Count a batch."""
        self._rows.observe(rows)

    def text(self, version: int) -> bytes:
        """The page that Prometheus reads."""
        self._version.set(version)
        return generate_latest(self.registry)
