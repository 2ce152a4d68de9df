"""The heaps of a process of many threads."""

import subprocess
import sys
from pathlib import Path

_TWENTY_THREADS = """
import ctypes, sys, threading
from ingestion_pipeline.serving.heap import keep_small

if sys.argv[2] == "small":
    keep_small()
libc, here = ctypes.CDLL(None), threading.Barrier(20)
libc.malloc.restype = libc.fopen.restype = ctypes.c_void_p

def allocate():
    here.wait()
    libc.malloc(10_000)
    here.wait()

threads = [threading.Thread(target=allocate) for _ in range(20)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
file = libc.fopen(sys.argv[1].encode(), b"w")
libc.malloc_info(0, ctypes.c_void_p(file))
libc.fclose(ctypes.c_void_p(file))
"""


def heaps(folder: Path, size: str) -> int:
    subprocess.run([sys.executable, "-c", _TWENTY_THREADS, str(folder / size), size], check=True)
    return (folder / size).read_text().count("<heap nr=")


def test_the_threads_of_a_server_share_two_heaps(tmp_path: Path) -> None:
    assert heaps(tmp_path, "small") == 2
    assert heaps(tmp_path, "as it is") > 2
