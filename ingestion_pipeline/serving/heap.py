"""Keeps the memory of a server of many threads small: glibc gives nearly each of them a heap that only grows."""

import ctypes

_ARENA_MAX, _MMAP_THRESHOLD = -8, -3
"""Parameters of `mallopt` (glibc's malloc.h)."""
_ARENAS = 2
_LARGE = 4 << 20
"""Bytes that go back to the system at once; where nobody sets it, glibc raises it to 32 MiB by itself."""


def keep_small() -> None:
    """Have all threads share two heaps. Nothing, where the C library is another one."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_ARENA_MAX, _ARENAS)
        mallopt(_MMAP_THRESHOLD, _LARGE)
