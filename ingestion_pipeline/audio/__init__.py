"""From a catalogue entry to an audio file on disk: download, checks, typed failures."""

from .download import fetch_audio
from .files import unchanged
from .network import is_web_address, private_addresses_refused
from .probe import Probe, probe

__all__ = ["Probe", "fetch_audio", "is_web_address", "private_addresses_refused", "probe", "unchanged"]
