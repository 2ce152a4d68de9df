"""What the Dagster project consists of, and that what a person sees of it is set."""

from pathlib import Path

import dagster as dg
import pytest

from ingestion_pipeline.definitions import definitions
from ingestion_pipeline.defs.resources import CpuWhisper, GpuWhisper, whisper_of
from ingestion_pipeline.models import model_server
from ingestion_pipeline.settings import Settings, load_settings

SETTINGS = Settings(_env_file=None)  # type: ignore[call-arg]
DEFINITIONS = definitions(SETTINGS, "postgresql://example.org/ingestion")
STEPS = ["raw_audio", "transcripts", "segment_embeddings"]


def specs() -> dict[str, dg.AssetSpec]:
    return {spec.key.to_user_string(): spec for spec in DEFINITIONS.resolve_all_asset_specs()}


def test_definitions_load() -> None:
    dg.Definitions.validate_loadable(DEFINITIONS)


def test_the_assets_are_these_in_this_order() -> None:
    upstream = {name: [dep.asset_key.to_user_string() for dep in spec.deps] for name, spec in specs().items()}
    assert upstream == {
        "video_catalog": [],
        "raw_audio": ["video_catalog"],
        "transcripts": ["raw_audio"],
        "segment_embeddings": ["transcripts"],
        "search_index": ["segment_embeddings"],
    }


@pytest.mark.parametrize("name", ["video_catalog", *STEPS, "search_index"])
def test_an_asset_is_described(name: str) -> None:
    spec = specs()[name]
    assert spec.description
    assert spec.group_name in {"sources", "videos", "search"}
    assert spec.kinds
    assert spec.owners


def test_the_jobs_are_these() -> None:
    repository = DEFINITIONS.get_repository_def()
    videos = {"ingest_video", "list_sources", "add_videos", "remove_videos", "delete_audio"}
    named = {*videos, "notify_failures", "build_search_index"}
    assert set(repository.job_names) - {"__ASSET_JOB"} == named
    assert all(repository.get_job(name).description for name in named)
    job = repository.get_job("ingest_video")
    assert {node.name for node in job.nodes} == {*STEPS, "audio_quality", "transcript_quality", "embedding_quality"}
    assert job.executor_def.name == "in_process"


def test_schedules_and_sensors_run_from_the_start() -> None:
    repository = DEFINITIONS.get_repository_def()
    schedules = {schedule.name: (schedule.cron_schedule, schedule.job_name) for schedule in repository.schedule_defs}
    assert schedules == {
        "discover_sources": ("*/30 * * * *", "list_sources"),
        "sweep_audio": ("17 * * * *", "delete_audio"),
        "nightly_search_index": ("0 4 * * *", "build_search_index"),
    }
    sensors = {sensor.name: sensor.minimum_interval_seconds for sensor in repository.sensor_defs}
    assert sensors == {"new_uploads": 30, "retry_due": 30, "orphans": 30, "failure_messages": 30}
    for instigator in (*repository.schedule_defs, *repository.sensor_defs):
        assert instigator.default_status.value == "RUNNING"
        assert instigator.description


def test_the_checks_are_these() -> None:
    checks: dict[str, set[str]] = {}
    for key in DEFINITIONS.get_repository_def().asset_graph.asset_check_keys:
        checks.setdefault(key.asset_key.to_user_string(), set()).add(key.name)
    assert checks == {
        "video_catalog": {"sources_listed"},
        "raw_audio": {"length"},
        "transcripts": {"language", "left_out", "repetition", "speech_covered", "timestamps", "words_per_second"},
        "segment_embeddings": {"count", "dimensions", "norm", "numbers"},
        "search_index": {"recall"},
    }


def test_each_step_takes_one_video() -> None:
    partitions = {spec.partitions_def for name, spec in specs().items() if name in STEPS}
    assert partitions == {dg.DynamicPartitionsDefinition(name="videos")}


def test_each_check_takes_one_video_and_is_described() -> None:
    checks = [spec for check in DEFINITIONS.asset_checks or () for spec in check.check_specs]
    assert len(checks) == 11
    assert {spec.partitions_def for spec in checks} == {dg.DynamicPartitionsDefinition(name="videos")}
    assert all(spec.description for spec in checks)
    assert not any(spec.blocking for spec in checks)


def test_the_device_selects_the_resource() -> None:
    cpu = whisper_of(SETTINGS.model_copy(update={"whisper_device": "cpu", "whisper_parallel_models": 4}))
    gpu = whisper_of(SETTINGS.model_copy(update={"whisper_device": "cuda", "asr_workers": 2}))
    assert isinstance(cpu, CpuWhisper)
    assert isinstance(gpu, GpuWhisper)
    assert (cpu.device, cpu.parallel_models) == ("cpu", 4)
    assert (gpu.device, gpu.asr_workers) == ("cuda", 2)


def test_every_field_of_a_resource_is_described() -> None:
    for resource in DEFINITIONS.resources.values():
        assert all(field.description for field in type(resource).model_fields.values()), type(resource)


def test_a_run_and_the_command_line_find_the_same_model_server(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SETTINGS.environment().items():
        monkeypatch.setenv(name, value)
    in_a_run = load_settings(Path("none"))
    assert whisper_of(in_a_run).server() == model_server(SETTINGS)
    assert whisper_of(in_a_run).server().config.name == model_server(SETTINGS).config.name
