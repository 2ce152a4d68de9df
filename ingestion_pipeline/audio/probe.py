"""What an audio file holds, and whether it can be decoded at all."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ingestion_pipeline.errors import Permanent

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer

_EXTENSIONS = {"mov": "m4a", "matroska": "mka", "mpegts": "ts", "asf": "wma"}
_PLAYLISTS = {"hls", "dash", "concat", "concatf", "sdp", "rtsp"}
_TRIAL_S = 1.0
_REMEDY = "Listen to it, and leave it out of the sources if it is not what it should be."


@dataclass(frozen=True)
class Probe:
    """First audio track of a file: duration in seconds, `sample_rate` in Hz, `container` by FFmpeg's name."""

    duration_s: float
    codec: str
    sample_rate: int
    channels: int
    container: str

    @property
    def extension(self) -> str:
        """File name extension of the container, without the dot."""
        if self.container == "ogg" and self.codec == "opus":
            return "opus"
        first = self.container.split(",")[0]
        return _EXTENSIONS.get(first, first)


def probe(path: Path) -> Probe:
    """Read the format of `path` and decode its first second.

    Raises `Permanent` when the file is empty, is no media file, has no audio track or does not decode; `OSError` when
    it cannot be read.
    """
    import av

    if path.stat().st_size == 0:
        raise Permanent("The file is empty.", _REMEDY)
    try:
        # Only files: a playlist under an audio name must not make FFmpeg fetch what it lists.
        with av.open(str(path), options={"protocol_whitelist": "file"}) as container:
            return _probe(container)
    except (av.FFmpegError, EOFError) as error:
        raise Permanent(f"The file {_what(path)}.", _REMEDY) from error


def _probe(container: "InputContainer") -> Probe:
    if _PLAYLISTS & set(container.format.name.split(",")):
        raise Permanent("The file is a playlist, not audio.", _REMEDY)
    if not container.streams.audio:
        raise Permanent("The file has no audio track.", _REMEDY)
    stream = container.streams.audio[0]
    _decode_a_little(container, stream)
    return Probe(
        duration_s=_duration_s(container, stream),
        codec=stream.codec_context.name,
        sample_rate=stream.codec_context.sample_rate,
        channels=stream.codec_context.channels,
        container=container.format.name,
    )


def _decode_a_little(container: "InputContainer", stream: "AudioStream") -> None:
    decoded_s = 0.0
    for frame in container.decode(stream):
        decoded_s += frame.samples / frame.sample_rate
        if decoded_s >= _TRIAL_S:
            return
    if not decoded_s:
        raise Permanent("The file has an audio track without any sound in it.", _REMEDY)


def _duration_s(container: "InputContainer", stream: "AudioStream") -> float:
    import av

    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    if container.duration:
        return container.duration / av.time_base
    return _end_of_packets_s(container, stream)


def _end_of_packets_s(container: "InputContainer", stream: "AudioStream") -> float:
    """Seconds from the first packet to the end of the last: for files that do not say how long they are."""
    container.seek(0)
    first = last = None
    for packet in container.demux(stream):
        if packet.pts is not None and packet.time_base is not None:
            start = float(packet.pts * packet.time_base)
            first = start if first is None else first
            last = start + float((packet.duration or 0) * packet.time_base)
    return 0.0 if first is None or last is None else last - first


def _what(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(1024).lstrip().lower()
    if head.startswith((b"<!doctype html", b"<html")) or b"<html" in head:
        return "is an HTML page, not audio"
    try:
        head.decode()
    except UnicodeDecodeError:
        return "is not audio, or is damaged: it cannot be decoded"
    return "is text, not audio"
