"""Settings: their names and defaults are those of .env.example, and a bad value is named."""

import re
from pathlib import Path

import pytest

from ingestion_pipeline.errors import BadSettings
from ingestion_pipeline.settings import Settings, load_settings

EXAMPLE = Path(__file__).parents[2] / ".env.example"
PROFILES = {
    "bulk": {
        "WHISPER_DEVICE": "cuda",
        "WHISPER_PARALLEL_MODELS": "1",
        "ASR_WORKERS": "2",
        "IO_WORKERS": "24",
        "DB_WORKERS": "12",
        "WHISPER_MODEL": "distil-large-v3",
        "WHISPER_COMPUTE": "int8_float16",
    },
    "incremental": {
        "WHISPER_DEVICE": "cpu",
        "WHISPER_PARALLEL_MODELS": "4",
        "ASR_WORKERS": "4",
        "IO_WORKERS": "12",
        "WHISPER_MODEL": "distil-large-v3",
        "INGESTION_LIMIT": "5",
    },
}


@pytest.fixture(autouse=True)
def _no_settings_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


def test_the_example_shows_every_setting_with_its_default(tmp_path: Path) -> None:
    shown = dict(re.findall(r"^([A-Z_]+)=(.*)$", EXAMPLE.read_text(), re.MULTILINE))
    assert set(shown) == {name.upper() for name in Settings.model_fields}
    assert load_settings(EXAMPLE) == load_settings(tmp_path / "none")


@pytest.mark.parametrize("profile", PROFILES)
def test_the_example_holds_both_profiles(profile: str, tmp_path: Path) -> None:
    parts = re.findall(rf"# Profile: {profile}.*\n((?:#   .*\n?)+)", EXAMPLE.read_text())
    lines = [line.removeprefix("#   ") for line in parts[0].splitlines()]
    assert dict(line.split("=") for line in lines) == PROFILES[profile]
    (tmp_path / ".env").write_text("\n".join(lines))
    assert PROFILES[profile].items() <= load_settings(tmp_path / ".env").environment().items()


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("ASR_WORKERS", "many", "integer"),
        ("IO_WORKERS", "0", "greater than or equal to 1"),
        ("WHISPER_DEVICE", "tpu", "'auto', 'cuda' or 'cpu'"),
        ("ALLOW_PRIVATE_ADDRESSES", "perhaps", "boolean"),
        ("MODEL_SERVER_URL", "gpu-box:8008", "not an address such as http://host:8008"),
        ("MODEL_SERVER_IDLE_S", "0", "greater than 0"),
        ("SITE_RATE", "youtube.com=fast", "youtube.com=fast is not a host with its videos a minute"),
        ("SITE_RATE", "youtube.com=0", "such as youtube.com=5"),
        ("SITE_RATE", "youtube.com=5,", "nothing is not a host"),
        ("SITE_RATE", "https://youtube.com=5", "is not a host"),
        ("SITE_PAUSE_S", "0", "greater than 0"),
        ("RETRY_AFTER_S", "inf", "finite number"),
        ("AUDIO_RETENTION", "never", "keep, delete, or a number of days"),
        ("AUDIO_RETENTION", "0", "keep, delete, or a number of days"),
    ],
)
def test_a_bad_value_is_named_with_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, allowed: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(BadSettings) as caught:
        load_settings()
    assert f"{name}={value}: " in str(caught.value)
    assert allowed in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("url", ["example.org:8080", "ftp://me:hunter2@example.org", "http://"])
def test_a_proxy_that_is_none_is_named_without_its_password(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("PROXY", url)
    with pytest.raises(BadSettings, match=r"^PROXY: not an address such as http://") as caught:
        load_settings()
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("name", ["DATABASE_URL", "DAGSTER_DATABASE_URL"])
@pytest.mark.parametrize(
    "url",
    [
        "mysql://me:hunter2@example.org/name",
        "postgresql://me:hunter2@example.org",
        "postgresql://me:hunter2@example.org?/name",
        "postgresql://me:hunter2%zz@example.org/name",
        "postgresql://me:@hunter2@example.org/name",
        "postgresql://me:/hunter2@example.org/name",
        "host=example.org password=hunter2 dbname=name",
        "hunter2",
    ],
)
def test_an_address_that_would_be_misread_is_named_without_its_password(
    monkeypatch: pytest.MonkeyPatch, name: str, url: str
) -> None:
    monkeypatch.setenv(name, url)
    with pytest.raises(BadSettings, match=f"^{name}: not an address such as postgresql://") as caught:
        load_settings()
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:hunter%402@example.org:5432/name?sslmode=require",
        "postgres://one,two/name",
        "postgresql://ingest@/name?host=%2Ftmp%2Fa%20b&port=5432",
    ],
)
def test_an_address_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    assert load_settings().database_url == url


def test_the_environment_goes_before_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("ASR_WORKERS=3\nIO_WORKERS=5\n")
    monkeypatch.setenv("ASR_WORKERS", "7")
    settings = load_settings()
    assert (settings.asr_workers, settings.io_workers) == (7, 5)


def test_a_child_process_reads_the_same_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WHISPER_BATCH", "8")
    settings = load_settings(
        ingestion_limit=5, allow_private_addresses=True, data_dir=tmp_path / "a b", whisper_batch=None
    )
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    assert load_settings() == settings


def test_an_env_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadSettings, match="not a text file"):
        load_settings()
