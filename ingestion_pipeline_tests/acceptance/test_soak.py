"""A small soak: `make soak` does the same with 300 videos."""

from pathlib import Path

import pytest

from benchmarks.soak.__main__ import soaked

pytestmark = pytest.mark.slow


def test_what_a_bad_site_and_kills_leave_is_right_or_explained(tmp_path: Path) -> None:
    judged, leftovers = soaked(tmp_path, videos=16, seed=3, kill_every=15, patience_s=900)
    assert (judged.lost, judged.torn, leftovers) == ([], [], [])
    assert len(judged.right) + len(judged.explained) == 16
    assert judged.right
