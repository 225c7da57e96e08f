"""What operators watch of a gateway; names stand in `docs/api.md`. The node's own come behind it."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from gridtokenx.gateway.authority_views import authorities_view, available_today_ppm
from gridtokenx.gateway.readmodel import ReadModel
from gridtokenx.modules.authority.state import PPM

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class AuthorityMetrics(Collector):
    """How the chain is run, as of the read model's head, counted when somebody asks. Empty before there is one."""

    def __init__(self) -> None:
        self.model: ReadModel | None = None

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Members are told apart by their ids: names may change, and are long."""
        if self.model is None:
            return
        view, available_ppm = authorities_view(self.model), available_today_ppm(self.model)
        frozen = GaugeMetricFamily("gridtokenx_frozen", "Whether the market is frozen (0 or 1)")
        frozen.add_metric([], view.frozen_since_ms is not None)
        yield frozen
        validators = GaugeMetricFamily("gridtokenx_validators", "Keys that vote in consensus")
        validators.add_metric([], len(view.validators))
        yield validators
        if available_ppm is not None:
            available = GaugeMetricFamily("gridtokenx_availability", "Part of the present day (UTC) that was served")
            available.add_metric([], available_ppm / PPM)
            yield available
        if view.epoch is None:
            return
        doubt = GaugeMetricFamily("gridtokenx_epoch_doubtful_blocks", "Doubtful blocks of the running epoch")
        doubt.add_metric([], view.epoch.doubtful)
        yield doubt
        seated = [member for member in view.members if member.standing == "seated"]
        seats = GaugeMetricFamily("gridtokenx_members_seated", "Members that have a seat")
        seats.add_metric([], len(seated))
        yield seats
        absent = GaugeMetricFamily("gridtokenx_absent_votes", "Absent votes in the running epoch", labels=["member"])
        missed = GaugeMetricFamily(
            "gridtokenx_missed_proposals", "Missed turns to propose in the running epoch", labels=["member"]
        )
        for member in seated:
            absent.add_metric([member.member], member.epoch.absent)
            missed.add_metric([member.member], member.epoch.missed)
        yield from (absent, missed)


class Metrics:
    """Of one gateway."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "gridtokenx_gateway_requests",
            "Answered requests",
            ["route", "method", "status"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "gridtokenx_gateway_request_seconds",
            "Time from the head of a request to the end of its answer",
            ["route"],
            registry=self.registry,
            buckets=_SECONDS,
        )
        self._follow_seconds = Histogram(
            "gridtokenx_gateway_follow_seconds",
            "Time to take a block into the read model and tell those who listen",
            registry=self.registry,
            buckets=_SECONDS,
        )
        self._height = Gauge("gridtokenx_gateway_height", "Block of the read model", registry=self.registry)
        self._orders = Gauge("gridtokenx_gateway_orders", "Open orders in the read model", registry=self.registry)
        self._halts = Gauge("gridtokenx_gateway_halts", "Halts of trade that hold", registry=self.registry)
        self.listeners = Gauge("gridtokenx_gateway_listeners", "Open streams", registry=self.registry)
        self.dropped = Counter(
            "gridtokenx_gateway_listeners_dropped", "Streams ended by the gateway", ["name"], registry=self.registry
        )
        self.transactions = Counter(
            "gridtokenx_gateway_transactions", "Submitted transactions", ["state"], registry=self.registry
        )
        self.sessions = Counter("gridtokenx_gateway_sessions", "Sessions opened", registry=self.registry)
        self._authority = AuthorityMetrics()
        self.registry.register(self._authority)
        self.node_up = Gauge("gridtokenx_gateway_node_up", "Whether the node answers (0 or 1)", registry=self.registry)

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """A request is done. `route` is the pattern, never the path: paths are without number."""
        self._requests.labels(route, method, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def followed(self, model: ReadModel, blocks: int, seconds: float) -> None:
        """The model has taken in some blocks."""
        for _ in range(blocks):
            self._follow_seconds.observe(seconds / blocks)
        self._height.set(model.head.height)
        self._orders.set(len(model.orders))
        self._halts.set(len(model.halts))
        self._authority.model = model

    def text(self) -> bytes:
        """All of it in Prometheus' format."""
        return generate_latest(self.registry)
