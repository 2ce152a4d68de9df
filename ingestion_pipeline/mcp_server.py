"""The MCP server: what a language model may ask of the transcripts. It reads, and changes nothing.

Titles, channels and texts come from strangers: they leave as fields of JSON, without what cannot be seen, of a bounded
length, and each answer says that they are data.
"""

import inspect
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from functools import wraps
from typing import TYPE_CHECKING, Annotated, ParamSpec, TypeVar

import psycopg
from pydantic import Field

from .embedding.embedder import Embedder
from .errors import IngestionError
from .mcp_answers import LONG, NOTICE, SHORT, Moments, Page, Videos, listed, moment_of, page_of, quoted
from .moments import find_moments
from .store import catalogue, transcripts
from .store.database import Database
from .store.search import Filters

if TYPE_CHECKING:
    from mcp.server import MCPServer

_P = ParamSpec("_P")
_R = TypeVar("_R")

Limit = Annotated[int, Field(ge=1, le=20, description="Most results.")]
Skipped = Annotated[int, Field(ge=0, description="How many to skip: next_offset of the page before.")]
Source = Annotated[str | None, Field(max_length=SHORT, description="Only this source, as list_videos names it.")]
Channel = Annotated[str | None, Field(max_length=SHORT, description="Only this channel, as list_videos names it.")]
Only = Annotated[str | None, Field(max_length=SHORT, description="Only the video with this key.")]
Since = Annotated[date | None, Field(description="Only videos published on this day (UTC) or later.")]
Until = Annotated[date | None, Field(description="Only videos published on this day (UTC) or earlier.")]
Language = Annotated[str | None, Field(max_length=20, description="Only this spoken language, as a code such as en.")]


class Tools:
    """The tools; their descriptions are what a model reads."""

    def __init__(self, database: Database, embedder: Embedder) -> None:
        self._database, self._embedder = database, embedder

    def search(
        self,
        text: Annotated[str, Field(min_length=1, max_length=1_000, description="What is said, in your words.")],
        limit: Limit = 5,
        source: Source = None,
        channel: Channel = None,
        language: Language = None,
        video: Only = None,
        since: Since = None,
        until: Until = None,
    ) -> Moments:
        """Find the moments in videos and podcasts at which something like `text` is said, best first.

        Searches by meaning and by words at once, so a question or a phrase does better than single keywords. Each
        moment has the sentence that fits best, the passage around it, the time in seconds, and a link that opens the
        video there: cite that link. For more of what is said around a moment, call get_transcript with its video, and
        start and end some minutes apart.
        """
        filters = Filters(source, channel, language, video, *_days(since, until))
        hits = find_moments(self._database, self._embedder, text, limit, filters=filters)
        return Moments(NOTICE, [moment_of(hit) for hit in hits])

    def get_transcript(
        self,
        video: Annotated[str, Field(max_length=SHORT, description="Its key, from search or list_videos.")],
        start: Annotated[float, Field(ge=0, description="Only from here, in seconds.")] = 0,
        end: Annotated[float | None, Field(ge=0, description="Only up to here, in seconds.")] = None,
        offset: Skipped = 0,
    ) -> Page:
        """Read what is said in a video, sentence by sentence with times in seconds.

        A page holds some 2,000 words. Where next_offset is not null there is more: call again with the same start and
        end, and next_offset as offset. Ask for the part that you need rather than for hours.
        """
        with self._database.connection() as connection:
            about = catalogue.video_of(connection, video)
            transcript = transcripts.transcript_of(connection, video)
        wanted = [one for one in transcript.segments if one.end > start and (end is None or one.start < end)]
        page = page_of(wanted[offset:])
        rest = offset + len(page) if offset + len(page) < len(wanted) else None
        return Page(NOTICE, about.key, quoted(about.title, SHORT), transcript.language, page, rest)

    def list_videos(
        self,
        limit: Limit = 20,
        source: Source = None,
        channel: Channel = None,
        language: Language = None,
        since: Since = None,
        until: Until = None,
        offset: Skipped = 0,
    ) -> Videos:
        """List the videos that have a transcript, newest first.

        For an overview of what there is, or to find a video's key, source or channel; to find what is said, call
        search. Where next_offset is not null there are more: call again with it as offset.
        """
        filters = Filters(source, channel, language, None, *_days(since, until))
        with self._database.connection() as connection:
            videos = catalogue.transcribed_videos(connection, filters, limit + 1, offset)
        more = offset + limit if len(videos) > limit else None
        return Videos(NOTICE, [listed(video) for video in videos[:limit]], more)


def mcp_server(database: Database, embedder: Embedder) -> "MCPServer":
    """Return the server; the errors of the project become errors of its tools, in one line."""
    from mcp.server import MCPServer
    from mcp.types import ToolAnnotations

    tools, reads = Tools(database, embedder), ToolAnnotations(read_only_hint=True, open_world_hint=False)
    server = MCPServer("ingestion-pipeline", instructions=NOTICE, log_level="WARNING")
    for tool in (tools.search, tools.get_transcript, tools.list_videos):
        server.add_tool(_with_tool_errors(tool), description=inspect.getdoc(tool), annotations=reads)
    return server


def _with_tool_errors(tool: Callable[_P, _R]) -> Callable[_P, _R]:
    from mcp.server.mcpserver.exceptions import ToolError

    @wraps(tool)
    def told(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return tool(*args, **kwargs)
        except (IngestionError, psycopg.Error, OSError) as error:
            raise ToolError(quoted(str(error), LONG)) from error

    return told


def _days(since: date | None, until: date | None) -> tuple[datetime | None, datetime | None]:
    """Return when a day begins, and when another is over."""
    first = datetime.combine(since, time.min, UTC) if since else None
    over = datetime.combine(until, time.min, UTC) + timedelta(days=1) if until else None
    return first, over
