"""Dagster definitions for the way that is compared: a process for each step, which loads the model it needs."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

import dagster as dg

from ingestion_pipeline import definitions as ours
from ingestion_pipeline.defs.resources import CpuWhisper, whisper_of
from ingestion_pipeline.records import Audio
from ingestion_pipeline.settings import load_settings
from ingestion_pipeline.speech.recogniser import InProcessWhisper, Recogniser, Recognition

from .work import fixed_decoding


@dataclass(frozen=True)
class _InEachStep(InProcessWhisper):
    """The model in the step's own process, with the same work for each chunk."""

    def transcribe(self, video: str, audio: Audio, language: str | None, log: Callable[[str], None]) -> Recognition:
        from ingestion_pipeline.speech.resident import ResidentWhisper

        began = monotonic()
        whisper = ResidentWhisper(self.config, fixed_decoding(os.environ["BENCH_MODEL"]))
        transcript = whisper.transcribe(video, audio.path, language, said=lambda _: None)
        log(f"transcribed {audio.duration_s:.0f} s")
        return Recognition(transcript, monotonic() - began)


class InEachStep(CpuWhisper):
    """Whisper, loaded anew for each video."""

    def recogniser(self) -> Recogniser:
        """Return the recogniser."""
        return _InEachStep(self.config)


_described = whisper_of(load_settings(), "in_process")._resolved_config_dict  # noqa: SLF001
defs = dg.Definitions(
    assets=ours.defs.assets,
    jobs=ours.defs.jobs,
    loggers=ours.defs.loggers,
    executor=dg.multiprocess_executor,
    resources={**(ours.defs.resources or {}), "whisper": InEachStep(**_described)},
)
