"""Audio files for tests, made of the demo's speech."""

from pathlib import Path

import av
import numpy as np
from faster_whisper.audio import decode_audio
from numpy.typing import NDArray

from ingestion_pipeline.demo import EPISODES
from ingestion_pipeline.speech.waveform import RATE

Samples = NDArray[np.float32]


def episode(number: int = 0) -> Samples:
    """Return an episode at 16 kHz."""
    return decode_audio(str(EPISODES[number]), RATE)


def write_audio(
    path: Path, samples: Samples, *, codec: str = "pcm_s16le", rate: int = RATE, layout: str = "mono"
) -> Path:
    """Write 16 kHz mono samples, resampled to `rate` Hz, the same on every channel; the name gives the container."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=rate, layout=layout)
        channels = len(av.AudioLayout(layout).channels)
        integers = (np.repeat(samples[:, None], channels, axis=1).clip(-1, 1) * 32767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(integers.reshape(1, -1), "s16", layout)
        frame.sample_rate = RATE
        resampler = av.AudioResampler(stream.format, layout, rate, frame_size=stream.codec_context.frame_size or None)
        for ready in [*resampler.resample(frame), *resampler.resample(None), None]:
            output.mux(stream.encode(ready))
    return path
