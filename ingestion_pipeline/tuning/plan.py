"""What is worth measuring, in which order, and what to choose of what was measured."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

from ingestion_pipeline.speech.recogniser import WhisperConfig

_NEARLY = 0.97
"""Of the best speed: what a configuration may lack that takes less memory."""
_FULL = 0.85
"""Share of the memory beyond which nothing larger is tried."""


@dataclass(frozen=True)
class Measurement:
    """How a configuration fared: speed, the most memory it took (bytes), and how busy card or cores were (0 to 1).

    `fault` says why it did not work; then there is no speed.
    """

    config: WhisperConfig
    rtfx: float = 0.0
    memory_bytes: float = 0.0
    busy: float = 0.0
    fault: str = ""


def candidates(model: str, device: str, cores: int) -> Iterator[WhisperConfig]:
    """Yield what is worth measuring, the most promising first."""
    first = WhisperConfig(model, device, "int8", parallel=cores, videos=min(cores, 2), batch=4)
    computes, counts, batches, videos = ["int8", "float32"], _halves(cores), [4, 8, 1], [2, 4, 1]
    if device == "cuda":
        first = WhisperConfig(model, device, "int8_float16", parallel=1, videos=2, batch=16)
        computes, counts, batches, videos = ["int8_float16", "float16"], [1, 2], [16, 32, 8], [2, 4, 1]
    yield first
    # One thing at a time from the first; then, for who lets it run longer, everything with everything.
    near = [replace(first, batch=batch) for batch in batches]
    near += [replace(first, compute=compute) for compute in computes]
    near += [replace(first, parallel=count) for count in counts]
    near += [replace(first, videos=count) for count in videos]
    all_of_them = [
        replace(first, compute=compute, parallel=count, batch=batch, videos=video)
        for compute, count, batch, video in product(computes, counts, batches, videos)
    ]
    yield from dict.fromkeys(config for config in [*near, *all_of_them] if config != first)


def fits(config: WhisperConfig, measured: Sequence[Measurement], memory_bytes: float) -> bool:
    """Tell whether nothing smaller failed already, or filled the memory."""
    return not any(
        _at_most(smaller.config, config) and (smaller.fault or smaller.memory_bytes > _FULL * memory_bytes)
        for smaller in measured
    )


def best(measured: Sequence[Measurement]) -> Measurement | None:
    """Return the fastest or, of those that are nearly as fast, the one that takes the least memory."""
    worked = [one for one in measured if not one.fault]
    most = max((one.rtfx for one in worked), default=0.0)
    near = [one for one in worked if one.rtfx >= _NEARLY * most]
    return min(near, key=lambda one: one.memory_bytes, default=None)


def reason(chosen: Measurement, measured: Sequence[Measurement]) -> str:
    """Return why it was chosen, in a sentence."""
    fastest = max((one for one in measured if not one.fault), key=lambda one: one.rtfx)
    if chosen is fastest:
        return f"It is the fastest of {len(measured)}: {chosen.rtfx:.1f}x real time."
    return (
        f"It is nearly as fast as the fastest ({chosen.rtfx:.1f}x and {fastest.rtfx:.1f}x) and takes "
        f"{chosen.memory_bytes / 1e9:.1f} GB instead of {fastest.memory_bytes / 1e9:.1f}."
    )


def env_lines(config: WhisperConfig) -> dict[str, str]:
    """Return a configuration as settings."""
    return {
        "WHISPER_DEVICE": config.device,
        "WHISPER_COMPUTE": config.compute,
        "WHISPER_PARALLEL_MODELS": str(config.parallel),
        "WHISPER_BATCH": str(config.batch),
        "ASR_WORKERS": str(config.videos),
    }


def _halves(cores: int) -> list[int]:
    counts = [cores]
    while counts[-1] > 1:
        counts.append(counts[-1] // 2)
    return counts


def _at_most(smaller: WhisperConfig, config: WhisperConfig) -> bool:
    """Tell whether a configuration is no larger in any way; a compute type compares with itself alone."""
    sizes = [(one.parallel, one.batch or 0, one.videos) for one in (smaller, config)]
    return smaller.compute == config.compute and all(a <= b for a, b in zip(*sizes, strict=True))
