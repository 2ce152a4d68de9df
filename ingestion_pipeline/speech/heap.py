"""How glibc hands out the memory that models compute in."""

import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -4, -8
"""Of glibc's malloc.h; mallopt(3) says what they do."""
_NEVER = 2**31 - 1


def keep_freed_memory() -> None:
    """Have one heap that keeps what is freed, for the whole process; call it before there are threads and models.

    By itself glibc returns large blocks to the kernel, which hands them out again page by page, zeroed: the attention
    of one layer has a hundred MB and more, and a third of the encoder's time on a CPU went to that (decision 6). With
    another C library nothing happens.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(_M_ARENA_MAX, 1)
        libc.mallopt(_M_MMAP_MAX, 0)
        libc.mallopt(_M_TRIM_THRESHOLD, _NEVER)
