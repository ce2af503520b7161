"""Traces: sampled trips are told of once they are rows, all others cost nothing and are told of nowhere."""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
import pytest
from structlog.testing import capture_logs

from adapters.telemetry.spans import Spans
from cli.sources.traces import STARTED, Tracing
from domain.entities.rejections import DeadLetter, Reason
from domain.entities.streams import BatchReceipt, EventBatch
from schemas.headers import TRACEPARENT
from stream.metrics import Metrics
from stream.traceparent import is_sampled, traceparent_of
from stream.traces import MOST_A_BATCH, SPAN, Traces, trace_ids
from tests.batches import STAMP, Start, batch_of
from tests.collector import collecting, plain

NOW_NS = 1_456_851_602_000_000_000


def traceparent(number: int, flags: str = "01") -> str:
    return f"00-{number:032x}-{number:016x}-{flags}"


@dataclass
class Remembered:
    """Implements `stream.ports.Spans`."""

    spans: list[tuple[str, str, tuple[int, int], dict[str, str | int]]] = field(default_factory=list)

    def add(self, name: str, traceparent: str, ns: tuple[int, int], attributes: Mapping[str, str | int]) -> None:
        self.spans.append((name, traceparent, ns, dict(attributes)))


def receipt_of(batch: EventBatch, *repeated: int) -> BatchReceipt:
    stored = np.ones(len(batch.started), dtype=np.bool_)
    stored[list(repeated)] = False
    return BatchReceipt(stored, np.empty(0, dtype=np.bool_), 0, len(repeated), 0)


def refused(offset: int, headers: tuple[tuple[str, bytes | None], ...]) -> DeadLetter:
    at = datetime.fromtimestamp(1_456_851_601, UTC)
    return DeadLetter(0, offset, at, b"k", b"v", headers, Reason.CONTRADICTS_STORED, "")


def test_only_sampled_trips_that_became_rows_have_a_line_and_all_sampled_events_a_span() -> None:
    starts = [
        Start("plain"),
        Start("unsampled", traceparent=traceparent(1, "00")),
        Start("stored", traceparent=traceparent(2)),
        Start("again", traceparent=traceparent(3)),
        Start("contradicts", traceparent=traceparent(4)),
        Start("timeless", traceparent=traceparent(5), published_ms=None),
        Start("ahead", traceparent=traceparent(6), published_ms=NOW_NS // 1_000_000 + 5),
    ]
    batch, spans = batch_of(starts), Remembered()
    letters = [refused(4, ((TRACEPARENT, traceparent(4).encode()),)), refused(9, ((TRACEPARENT, b"rubbish"),)), refused(10, ())]
    with capture_logs() as logs:
        Traces(Metrics(), spans).committed(batch, receipt_of(batch, 3, 4), letters, NOW_NS)
    assert [(line["event"], line["offset"]) for line in logs] == [("trip_scored", offset) for offset in (2, 5, 6)]
    place = {"partition": 0, "version": STAMP.version, "log_level": "info"}
    assert logs[0] == {"event": "trip_scored", "trace_id": f"{2:032x}", "offset": 2, **place}
    began = 1_456_851_601 * 10**9
    told = {span[3]["tripcast.offset"]: (span[2], span[3]["tripcast.outcome"]) for span in spans.spans}
    assert told == {
        2: ((began, NOW_NS), "stored"),
        3: ((began, NOW_NS), "repeated"),
        4: ((began, NOW_NS), "contradicts_stored"),
        5: ((NOW_NS, NOW_NS), "stored"),
        6: ((NOW_NS, NOW_NS), "stored"),
    }
    assert {(name, len(parent)) for name, parent, _, _ in spans.spans} == {(SPAN, 55)}


def test_without_an_exporter_there_are_lines_and_a_producer_that_samples_everything_is_cut_short() -> None:
    batch = batch_of([Start(str(number), traceparent=traceparent(number + 1)) for number in range(MOST_A_BATCH + 30)])
    metrics = Metrics()
    with capture_logs() as logs:
        Traces(metrics).committed(batch, receipt_of(batch), [], NOW_NS)
    assert len(logs) == MOST_A_BATCH
    assert metrics.registry.get_sample_value("tripcast_traces_untold_total") == 30


def test_refused_events_are_named_by_their_traces() -> None:
    letters = [refused(0, ()), refused(1, ((TRACEPARENT, traceparent(7, "00").encode()),)), refused(2, (("x", None),))]
    assert trace_ids(letters) == [f"{7:032x}"]


def test_a_collector_gets_the_span_below_the_producers() -> None:
    with collecting() as collector:
        spans = Spans(collector.address, "tripcast-worker", "worker-1", "1.2.3")
        spans.add(SPAN, traceparent(0xABC), (NOW_NS - 5, NOW_NS), {"tripcast.offset": 7, "tripcast.outcome": "stored"})
        spans.close()
    [span] = collector.spans
    assert (span.name, span.trace_id.hex(), span.parent_span_id.hex()) == (SPAN, f"{0xABC:032x}", f"{0xABC:016x}")
    assert (span.start_time_unix_nano, span.end_time_unix_nano) == (NOW_NS - 5, NOW_NS)
    assert plain(span.attributes) == {"tripcast.offset": 7, "tripcast.outcome": "stored"}
    names = {"service.name": "tripcast-worker", "service.instance.id": "worker-1", "service.version": "1.2.3"}
    assert collector.services == [names]


def test_a_collector_that_is_away_raises_nothing() -> None:
    spans = Spans("http://127.0.0.1:9", "tripcast-worker", "worker-1", "1.2.3")
    spans.add(SPAN, traceparent(1), (0, NOW_NS), {})
    spans.close()


def test_nothing_of_opentelemetry_is_loaded_where_no_collector_is_configured() -> None:
    code = "import sys, stream.bootstrap; sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(("share", "expected"), [(0.0, 0), (0.01, 100), (1.0, 10_000)])
def test_a_producer_traces_a_share_of_the_starts_and_no_end(share: float, expected: int) -> None:
    values = [b'{"type":"%b"}' % STARTED, b'{"type":"trip.completed.v1"}'] * 10_000
    headers = Tracing(share, np.random.default_rng(1)).headers(values)
    if not expected:
        assert headers is None
        return
    assert headers is not None
    assert not any(headers[1::2])
    found = [traceparent_of(each) for each in headers[::2] if each]
    assert len(found) == pytest.approx(expected, rel=0.2)
    assert len(set(found)) == len(found)
    assert all(each is not None and is_sampled(each) for each in found)
