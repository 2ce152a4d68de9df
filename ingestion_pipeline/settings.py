"""The only module that reads the environment: every setting with its type, default and meaning.

`.env.example` shows them all; a test keeps the two alike.
"""

import os
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict
from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from .errors import BadSettings
from .politeness import rates_of

NO_MORE_SETTINGS = "INGEST_ENV_FILE"
"""Variable by which a parent process, which passes all settings on, keeps its children from another `.env`."""
_SECRETS = {"database_url", "dagster_database_url", "model_server_api_key", "proxy", "notify_urls"}
"""What may hold a password, and is not repeated in an error."""


def _postgres_address(url: str) -> str:
    """Refuse what PostgreSQL's library would not read, or read otherwise than meant, and then quote with password."""
    try:
        parts = conninfo_to_dict(url)
    except ProgrammingError:
        parts = {}
    misread = "@" in f"{parts.get('host', '')}{parts.get('dbname', '')}"
    if misread or not parts.get("dbname") or not url.startswith(("postgresql://", "postgres://")):
        raise ValueError("not an address such as postgresql://user:password@host:5432/name, with %40 for @, %2F for /")
    return url


def _server_address(url: str) -> str:
    parts = urlsplit(url)
    if not (parts.scheme in {"http", "https"} and parts.hostname) and not (parts.scheme == "unix" and parts.path):
        raise ValueError("not an address such as http://host:8008")
    return url


def _valid_rates(text: str) -> str:
    rates_of(text)
    return text


def _proxy_address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https", "socks4", "socks4a", "socks5", "socks5h"} or not parts.hostname:
        raise ValueError("not an address such as http://user:password@host:8080 or socks5h://host:1080")
    return url


def _audio_retention(text: str) -> str:
    if text not in {"keep", "delete"} and not (text.isascii() and text.isdigit() and int(text) > 0):
        raise ValueError("not keep, delete, or a number of days")
    return text


Workers = Annotated[int, Field(ge=1, le=128)]
Share = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
PostgresAddress = Annotated[str, AfterValidator(_postgres_address)]
AudioRetention = Annotated[str, AfterValidator(_audio_retention)]


class Settings(BaseSettings):
    """Settings from the environment and, where that is silent, from `.env`."""

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True)

    whisper_device: Literal["auto", "cuda", "cpu"] = Field(
        "auto", description="auto takes an NVIDIA GPU if there is one"
    )
    whisper_model: str = Field("distil-large-v3", description="name that faster-whisper knows, folder, or demo-en")
    whisper_compute: Literal["auto", "int8", "int8_float16", "int8_float32", "float16", "bfloat16", "float32"] = Field(
        "auto", description="auto takes the fastest type that the device has"
    )
    whisper_parallel_models: Workers = Field(1, description="parallel decodes; they share one set of weights")
    whisper_batch: Workers | None = Field(
        None, description="chunks of speech decoded at once by each; empty: 16 on a GPU, 4 on a CPU"
    )
    asr_workers: Workers = Field(2, description="videos being transcribed at once")
    io_workers: Workers = Field(24, description="videos in progress at once, and so downloads")
    db_workers: Workers = Field(12, description="writers to the database at once")
    embedding_model: str = Field(
        "sentence-transformers/all-MiniLM-L6-v2", description="name or folder for sentence-transformers"
    )
    embedding_truncate_dim: Annotated[int, Field(ge=1)] | None = Field(
        None, description="numbers of a vector that are kept, for models trained so (Matryoshka); empty: all"
    )
    ingestion_limit: Annotated[int, Field(ge=1)] | None = Field(
        None, description="most new videos of one discovery and of one `ingest run`; empty: all"
    )
    audio_retention: AudioRetention = Field(
        "keep", description="what becomes of audio that is transcribed: keep, delete, or kept for a number of days"
    )
    sources_file: Path = Field(Path("sources.yaml"), description="what to ingest")
    data_dir: Path = Field(Path("data"), description="audio, logs and the embedded database")
    database_url: PostgresAddress | None = Field(
        None, description="PostgreSQL 15 or newer with pgvector 0.8 or newer, direct connection; empty: embedded"
    )
    dagster_database_url: PostgresAddress | None = Field(
        None, description="Dagster's own storage; empty: database <name>_dagster on the same server"
    )
    model_server_url: Annotated[str, AfterValidator(_server_address)] | None = Field(
        None, description="model server elsewhere, http://host:port, or unix:///path; empty: one on this machine"
    )
    model_server_api_key: str | None = Field(None, description="API key of the model server; wanted beyond loopback")
    model_server_idle_s: Seconds = Field(
        600.0, description="after this quiet time (s) the model server ends and gives its memory back"
    )
    site_rate: Annotated[str, AfterValidator(_valid_rates)] = Field(
        "youtube.com=5,*=60", description="videos a minute from each site, over all runs; * is any other site"
    )
    site_pause_s: Seconds = Field(3600.0, description="how long (s) a site that refuses is left alone by all runs")
    retry_after_s: Seconds = Field(
        300.0,
        description="a video whose failure may pass is tried again after this time (s), then after 4 times as long",
    )
    cookies_file: Path | None = Field(
        None,
        description="cookies of a browser in Netscape's format, for what only an account may see; each worker copies",
    )
    proxy: Annotated[str, AfterValidator(_proxy_address)] | None = Field(
        None, description="proxy through which yt-dlp lists and downloads, http://host:port or socks5h://host:port"
    )
    notify_urls: str | None = Field(
        None, description="where to send a message about failures: addresses for Apprise, with commas between"
    )
    check_speech_covered: Share = Field(0.5, description="share of the speech that has a text; less warns")
    check_repetition: Share = Field(0.1, description="share of words where the text repeats itself; more warns")
    check_words_per_second: Annotated[float, Field(gt=0)] = Field(5.0, description="a faster transcript warns")
    check_left_out: Share = Field(0.1, description="share of the speech that may stay unrecognised without a warning")
    check_length: Share = Field(0.1, description="how far (share) the audio's length may be from what the site said")
    max_audio_mb: Annotated[int, Field(ge=1)] = Field(2048, description="larger downloads are refused, in MB")
    allow_private_addresses: bool = Field(
        default=False, description="whether links into the own network (loopback, 10.0.0.0/8, ...) are followed"
    )

    def environment(self) -> dict[str, str]:
        """Return the settings as variables for a child process; what is not set is empty, whatever it inherits."""
        values = self.model_dump(mode="json")
        return {name.upper(): "" if value is None else str(value) for name, value in values.items()}


def load_settings(env_file: Path | None = None, **overrides: object) -> Settings:
    """Read the settings, `overrides` first; raise `BadSettings` that names the variable, the value, what is allowed."""
    env_file = env_file or Path(os.environ.get(NO_MORE_SETTINGS, ".env"))
    try:
        settings = Settings(_env_file=env_file, **overrides)  # type: ignore[call-arg, arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        name, message = str(first["loc"][0]), first["msg"].removeprefix("Value error, ")
        shown = name.upper() if name in _SECRETS else f"{name.upper()}={first['input']}"
        raise BadSettings(
            f"{shown}: {message[0].lower()}{message[1:]}.",
            f"Change it in the environment or in {env_file}.",
        ) from None
    except UnicodeDecodeError:
        raise BadSettings(f"{env_file} is not a text file in UTF-8.", "Copy .env.example over it.") from None
    return settings


def from_anywhere(model: str) -> str:
    """Return a model's name, or the whole path of its folder: Dagster and the model server work in other folders."""
    return str(Path(model).resolve()) if Path(model).is_dir() else model
