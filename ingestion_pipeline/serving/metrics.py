"""`GET /metrics` for Prometheus: read from the service when it is asked for."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ingestion_pipeline.speech.scheduler import Counters

from .service import Service


def exposition(service: Service) -> str:
    """Return all metrics in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(_Reading(service))
    return generate_latest(registry).decode()


class _Reading(Collector):
    def __init__(self, service: Service) -> None:
        self._service = service

    def collect(self) -> Iterator[Metric]:
        engine = self._service.whisper.engine
        counters = engine.counters if engine else Counters()
        waiting, active, ready = engine.waiting if engine else (0, 0, 0)
        busy_s = sum(engine.busy_s) if engine else 0.0
        audio_s, active_s = counters.audio_s, engine.active_s if engine else 0.0
        yield _gauge("videos_waiting", "videos that wait to be transcribed", waiting)
        yield _gauge("videos_active", "videos being transcribed", active)
        yield _gauge("chunks_ready", "chunks of speech that wait for a decode worker", ready)
        yield _gauge("batch_fill", "chunks in a batch, on average", counters.chunks / max(counters.batches, 1))
        yield _gauge("rtfx", "seconds of audio to a second in which a video was in", audio_s / max(active_s, 1e-3))
        yield _gauge(
            "longest_decode_wait_seconds", "of the last waits while videos waited", max(counters.waits_s, default=0)
        )
        yield _counter("audio_seconds", "audio transcribed", audio_s)
        yield _counter(
            "decode_busy_seconds", "time in which decode workers worked or waited for the GPU, summed over them", busy_s
        )
        yield _counter("active_seconds", "time in which a video was being transcribed", active_s)
        yield _counter("chunks", "chunks decoded", counters.chunks)
        yield _counter(
            "chunks_decoded_again", "chunks that failed a check and were decoded again", counters.decoded_again
        )
        embedders = self._service.embedders
        yield _counter("embedded_texts", "passages and questions embedded", embedders.texts)
        yield _counter("embedding_batches", "batches that they were embedded in", embedders.batches)
        loads = CounterMetricFamily("ingest_model_loads", "times that a model was loaded", labels=["model"])
        for model, count in self._service.loads.items():
            loads.add_metric([model], count)
        yield loads
        yield from self._machine()

    def _machine(self) -> Iterator[Metric]:
        latest = self._service.telemetry.latest
        yield _gauge("cpu_cores", "cores that this process keeps busy", latest.cpu_cores)
        yield _gauge("resident_memory_bytes", "memory of this process", latest.memory_bytes)
        if latest.gpu:
            yield _gauge("gpu_sm_ratio", "share of the time in which a kernel ran", latest.gpu.sm)
            yield _gauge("gpu_memory_bytes", "memory in use on the GPU", latest.gpu.memory_bytes)
        if latest.gpu and latest.gpu.power_w is not None:
            yield _gauge("gpu_power_watts", "power that the GPU draws", latest.gpu.power_w)


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(f"ingest_{name}", meaning, value)


def _counter(name: str, meaning: str, value: float) -> Metric:
    return CounterMetricFamily(f"ingest_{name}", meaning, value)
