"""All errors of the project: each says what happened, to which video or thing, and what to do, in one line."""

from datetime import datetime


class IngestionError(Exception):
    """What a person can act on; `remedy` says how."""

    kind = "error"

    def __init__(self, what: str, remedy: str = "") -> None:
        self.what, self.remedy = _one_line(what), _one_line(remedy)
        super().__init__(f"{self.what} {self.remedy}".strip())


class EnvironmentFault(IngestionError):
    """Something on this machine is missing or broken; every video would fail alike."""

    kind = "environment"


class BadSettings(EnvironmentFault):
    """A setting or `sources.yaml` does not hold what it should."""

    kind = "settings"


class DatabaseFault(EnvironmentFault):
    """The database cannot be reached, or lacks what the project needs."""


class ModelFault(EnvironmentFault):
    """A model is not there or cannot be loaded."""


class GpuFault(ModelFault):
    """The GPU failed in the midst of the work: this process cannot use it any more, a new one may."""


class ModelUnknown(ModelFault):
    """The model server has another model, or cannot load this one."""


class ModelServerFault(EnvironmentFault):
    """The model server cannot be started or reached, or is of another version."""


class NoAccessToModelServer(ModelServerFault):
    """The model server wants an API key."""


class DiskFull(EnvironmentFault):
    """There is no room left for what is being written."""


class SourceFault(IngestionError):
    """A source cannot be listed; the others are."""

    kind = "source"


class SourceRefused(SourceFault):
    """The site of a source refuses this machine, as in `Breaker`."""


class Breaker(IngestionError):
    """The site refuses this machine: nothing more should be asked of it for a while, or before `until`."""

    kind = "breaker"

    def __init__(self, what: str, remedy: str = "", until: datetime | None = None) -> None:
        super().__init__(what, remedy)
        self.until = until


class Transient(IngestionError):
    """May well succeed when tried again."""

    kind = "transient"


class QueueFull(Transient):
    """Too many wait at the model server."""


class ModelServerLeaves(Transient):
    """The model server ends, and takes nothing new."""


class VideoBusy(Transient):
    """A run works on the video."""


class Deferred(IngestionError):
    """The video is not there yet: upcoming, live, or just ended; `due` is when it will be, where the site says so."""

    kind = "deferred"

    def __init__(self, what: str, remedy: str = "", due: datetime | None = None) -> None:
        super().__init__(what, remedy)
        self.due = due


class RunsKilled(IngestionError):
    """Run after run of the video was killed or cancelled, so that none could say why."""

    kind = "killed"


class NeedsAccess(IngestionError):
    """Only an account may see it: members only, age gate, private."""

    kind = "needs_access"


class Permanent(IngestionError):
    """Will not succeed however often it is tried: removed, refused, not audio."""

    kind = "permanent"


class TooLarge(Permanent):
    """An upload is larger than the model server takes."""


class PrivateAddress(Permanent):
    """A link leads into the private network and that is not allowed."""


class VideoUnknown(Permanent):
    """No such video in the catalogue."""


class LowQuality(Permanent):
    """A transcript, or what was made of it, is not fit for a search."""


def _one_line(text: str) -> str:
    printable = "".join(character if character.isprintable() else " " for character in text)
    short = " ".join(printable.split())
    return short if len(short) <= 500 else f"{short[:499]}…"
