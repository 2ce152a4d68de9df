"""One heap that keeps what is freed; in a process of its own, since it holds for a whole process."""

import platform
import subprocess
import sys

import pytest

_SCRIPT = """
import threading, sys
import numpy as np
from ingestion_pipeline.speech.heap import keep_freed_memory

def resident_mb():
    return int(open("/proc/self/status").read().split("VmRSS:")[1].split()[0]) // 1000

if sys.argv[1] == "kept":
    keep_freed_memory()
def compute():
    attention = np.ones(300_000_000, np.uint8)
    del attention
    print(resident_mb())
thread = threading.Thread(target=compute)
thread.start()
thread.join()
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
@pytest.mark.parametrize(("how", "least_mb", "most_mb"), [("kept", 300, 600), ("returned", 0, 200)])
def test_what_a_thread_frees_is_kept(how: str, least_mb: int, most_mb: int) -> None:
    done = subprocess.run([sys.executable, "-c", _SCRIPT, how], capture_output=True, text=True, check=True)
    assert least_mb <= int(done.stdout) <= most_mb
