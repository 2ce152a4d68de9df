"""What errors of a GPU mean, by the words of CTranslate2 and PyTorch."""

_NO_MEMORY = ("out of memory", "ALLOC_FAILED")
_LOST = (
    "illegal memory access",
    "launch failure",
    "launch timed out",
    "device-side assert",
    "hardware stack error",
    "illegal instruction",
    "misaligned address",
    "invalid program counter",
    "ECC error",
    "fallen off the bus",
    "CUBLAS_STATUS_EXECUTION_FAILED",
    "CUBLAS_STATUS_INTERNAL_ERROR",
)
"""Errors after which every call of CUDA fails in the same process; others, as of an argument, do no harm to it.

https://docs.nvidia.com/cuda/cuda-runtime-api/group__CUDART__TYPES.html, "inconsistent state".
"""
NEW_PROCESS = "Start again; if that does not help, see the messages of NVIDIA's driver (`dmesg | grep Xid`)."


def out_of_memory(error: BaseException) -> bool:
    """Tell whether the memory of the GPU, or of this machine, did not suffice."""
    return isinstance(error, MemoryError) or any(words in str(error) for words in _NO_MEMORY)


def gpu_failed(error: BaseException) -> bool:
    """Tell whether this process cannot use the GPU any more."""
    return any(words in str(error) for words in _LOST)
