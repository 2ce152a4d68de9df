"""Files of every kind as 16 kHz samples, window by window; and what is speech in them."""

from pathlib import Path

import av
import numpy as np
import pytest
from faster_whisper.vad import get_vad_model

from ingestion_pipeline.demo import EPISODES
from ingestion_pipeline.speech.voice import FRAME, NOTHING, Speech, speech_in
from ingestion_pipeline.speech.waveform import RATE, Undecodable, duration_of, windows_of
from ingestion_pipeline_tests.support.recordings import Samples, episode, write_audio


def read(path: Path, seconds: float = 64.0, start_s: float = 0.0) -> Samples:
    return np.concatenate(list(windows_of(path, seconds, start_s)))


def likeness(one: Samples, other: Samples) -> float:
    """Return the correlation of two sounds, 1 where they differ by loudness alone."""
    length = min(len(one), len(other))
    return float(np.corrcoef(one[:length], other[:length])[0, 1])


def speech_of(windows: list[Samples]) -> Speech:
    return sum(speech_in(windows), NOTHING)


def test_windows_are_as_long_as_asked_for_and_lose_nothing() -> None:
    windows = list(windows_of(EPISODES[0], 6.4))
    assert {len(window) for window in windows[:-1]} == {round(6.4 * RATE)}
    assert np.array_equal(np.concatenate(windows), read(EPISODES[0]))
    assert likeness(read(EPISODES[0]), episode()) > 0.999


@pytest.mark.parametrize(
    ("name", "codec", "rate", "layout"),
    [
        ("mono.wav", "pcm_s16le", 8_000, "mono"),
        ("eight.wav", "pcm_s16le", 48_000, "7.1"),
        ("stereo.flac", "flac", 44_100, "stereo"),
        ("aac.m4a", "aac", 48_000, "stereo"),
        ("float.mka", "pcm_f32le", 16_000, "mono"),
    ],
)
def test_rates_and_channels_become_16_khz_mono(tmp_path: Path, name: str, codec: str, rate: int, layout: str) -> None:
    sound = episode()[: 5 * RATE]
    read_back = read(write_audio(tmp_path / name, sound, codec=codec, rate=rate, layout=layout))
    assert len(read_back) == pytest.approx(5 * RATE, abs=0.1 * RATE)
    assert max(likeness(read_back[shift:], sound) for shift in (0, 1024, 341)) > 0.9


@pytest.mark.parametrize("rates", [(48_000, 16_000), (16_000, 48_000)])
def test_a_rate_that_changes_in_the_middle_is_followed(tmp_path: Path, rates: tuple[int, int]) -> None:
    sound = episode()[: 6 * RATE]
    halves = zip((sound[: 3 * RATE], sound[3 * RATE :]), rates, ("stereo", "mono"), strict=True)
    parts = [
        write_audio(tmp_path / f"{rate}.mp2", half, codec="mp2", rate=rate, layout=layout).read_bytes()
        for half, rate, layout in halves
    ]
    both = tmp_path / "both.mp2"
    both.write_bytes(b"".join(parts))
    read_back = read(both)
    assert len(read_back) == pytest.approx(6 * RATE, abs=0.2 * RATE)
    # The second half neither too fast nor too slow: its loud and soft places are where they were.
    assert likeness(loudness(read_back), loudness(sound)) > 0.9


def loudness(sound: Samples) -> Samples:
    """Return the loudness of each tenth of a second."""
    tenth = RATE // 10
    return np.sqrt((sound[: len(sound) // tenth * tenth].reshape(-1, tenth) ** 2).mean(axis=1))


def test_a_place_is_found_in_a_file_whose_time_begins_late(tmp_path: Path) -> None:
    late = tmp_path / "late.ts"
    with (
        av.open(str(write_audio(tmp_path / "early.ts", episode(), codec="mp2"))) as source,
        av.open(str(late), "w") as output,
    ):
        stream = output.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(audio=0):
            if packet.pts is not None:
                packet.pts = packet.dts = packet.pts + round(1000 / packet.time_base)
                packet.stream = stream
                output.mux(packet)
    found = read(late, start_s=20.0)
    assert len(found) == pytest.approx(len(episode()) - 20 * RATE, abs=0.5 * RATE)


def test_what_is_there_of_a_file_that_was_cut_off_is_read(tmp_path: Path) -> None:
    cut = tmp_path / "cut.opus"
    cut.write_bytes(EPISODES[0].read_bytes()[:100_000])
    whole = read(EPISODES[0])
    assert 0 < len(read(cut)) < len(whole)
    assert np.allclose(read(cut)[: 10 * RATE], whole[: 10 * RATE], atol=1e-3)


def test_damage_in_the_middle_is_left_out(tmp_path: Path) -> None:
    damaged, data = tmp_path / "damaged.flac", bytearray()
    data += write_audio(tmp_path / "whole.flac", episode()[: 20 * RATE], codec="flac").read_bytes()
    data[len(data) // 2 : len(data) // 2 + 2000] = bytes(2000)
    damaged.write_bytes(data)
    assert 18 * RATE < len(read(damaged)) <= 20 * RATE


@pytest.mark.parametrize(
    ("late_s", "heard_s"),
    [(4.0, 24.0), (0.3, 20.0), (7200.0, 20.0)],
    ids=["a gap", "hardly one", "another clock"],
)
def test_silence_stands_for_what_the_timestamps_say_is_missing(tmp_path: Path, late_s: float, heard_s: float) -> None:
    sound, late = episode()[: 20 * RATE], tmp_path / "late.mka"
    whole = write_audio(tmp_path / "whole.mka", sound, codec="libopus", rate=48_000)
    with av.open(str(whole)) as source, av.open(str(late), "w") as target:
        stream = target.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(audio=0):
            if packet.pts is None:
                continue
            if packet.pts * packet.time_base >= 10:
                packet.pts = packet.dts = packet.pts + round(late_s / packet.time_base)
            packet.stream = stream
            target.mux(packet)
    heard = read(late)
    assert len(heard) == pytest.approx(heard_s * RATE, abs=0.2 * RATE)
    assert likeness(heard[: 9 * RATE], sound[: 9 * RATE]) > 0.99
    assert likeness(heard[-9 * RATE :], sound[-9 * RATE :]) > 0.99


def test_sound_that_begins_after_the_picture_keeps_its_time(tmp_path: Path) -> None:
    sound, film = episode()[: 10 * RATE], tmp_path / "film.mkv"
    whole = write_audio(tmp_path / "whole.mka", sound, codec="libopus", rate=48_000)
    with av.open(str(whole)) as source, av.open(str(film), "w") as target:
        picture = target.add_stream("mpeg4", rate=1, width=16, height=16)
        stream = target.add_stream_from_template(source.streams.audio[0])
        for number in range(4):
            frame = av.VideoFrame(16, 16, "yuv420p")
            frame.pts = number
            target.mux(picture.encode(frame))
        target.mux(picture.encode(None))
        for packet in source.demux(audio=0):
            if packet.pts is not None:
                packet.pts = packet.dts = packet.pts + round(3 / packet.time_base)
                packet.stream = stream
                target.mux(packet)
    heard = read(film)
    assert len(heard) == pytest.approx(13 * RATE, abs=0.2 * RATE)
    assert not heard[: round(2.9 * RATE)].any()
    assert likeness(heard[-9 * RATE :], sound[-9 * RATE :]) > 0.99


def test_recordings_that_were_joined_follow_one_another_though_the_clock_steps_back(tmp_path: Path) -> None:
    sound, joined = episode()[: 20 * RATE], tmp_path / "joined.ts"
    halves = [sound[: 12 * RATE], sound[12 * RATE :]]
    parts = [write_audio(tmp_path / "part.ts", half, codec="mp2", rate=48_000).read_bytes() for half in halves]
    joined.write_bytes(b"".join(parts))
    assert len(read(joined)) == pytest.approx(20 * RATE, abs=0.2 * RATE)


def test_reading_begins_where_it_is_asked_to() -> None:
    whole = read(EPISODES[0])
    assert len(read(EPISODES[0], start_s=30.0)) == pytest.approx(len(whole) - 30 * RATE, abs=2 * RATE)
    assert duration_of(EPISODES[0]) == pytest.approx(len(whole) / RATE, abs=0.1)


def test_what_is_no_audio_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.mp3").write_bytes(b"")
    (tmp_path / "page.mp3").write_text("<!DOCTYPE html><p>Not here.</p>" * 100)
    (tmp_path / "list.m3u8").write_text(f"#EXTM3U\n#EXTINF:10,\n{EPISODES[0]}\n#EXT-X-ENDLIST\n")
    with av.open(str(tmp_path / "silent.mp4"), "w") as output:
        output.mux(output.add_stream("mpeg4", rate=25).encode(av.VideoFrame(64, 64, "yuv420p")))
    for path in sorted(tmp_path.iterdir()):
        with pytest.raises(Undecodable):
            read(path)


def test_a_file_that_is_not_there_is_no_fault_of_the_audio(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "absent.opus")


@pytest.mark.parametrize("seconds", [6.4, 32.0])
def test_seams_between_windows_change_nothing(seconds: float) -> None:
    whole, in_windows = read(EPISODES[0]), list(windows_of(EPISODES[0], seconds))
    together, bit_by_bit = speech_of([whole]), speech_of(in_windows)
    assert np.array_equal(together.index, bit_by_bit.index)
    assert np.array_equal(together.samples, bit_by_bit.samples)


def test_the_voice_is_that_of_silero_itself() -> None:
    sound = read(EPISODES[0])
    padded = np.pad(sound, (0, -len(sound) % FRAME))
    speech = speech_of([sound])
    assert np.allclose(speech.voice, get_vad_model()(padded).reshape(-1)[speech.index], atol=1e-5)


def test_only_silence_is_left_out() -> None:
    sound = np.concatenate([episode()[: 20 * RATE], np.zeros(20 * RATE, np.float32), episode()[: 20 * RATE]])
    frames = sound.reshape(-1, FRAME)
    left_out = np.delete(frames, speech_of([sound]).index, axis=0)
    assert 19 * RATE < left_out.size < 30 * RATE
    assert np.sqrt((left_out**2).mean(axis=1)).max() < 0.01 < np.sqrt((frames**2).mean())


def test_in_silence_nobody_speaks() -> None:
    assert len(speech_of([np.zeros(10 * RATE, np.float32)])) == 0
    assert len(speech_of([])) == 0
