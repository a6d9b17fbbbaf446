"""Attributes an exception or a dead process to the network or to the machine, in one line.

The network's: it diverged, or needs more memory than there is. The machine's: files that cannot be written, a GPU that
is gone. All else counts as the network's at first; ``search.workers.verdicts`` finds out where it is not.
"""

from __future__ import annotations

import re
import signal
import traceback
from collections.abc import Callable

from evaluators.quality import NonFiniteOutputError
from evaluators.training.divergence import DivergedError
from search.workers.messages import Answer, Failed, MachineTrouble
from space.errors import UserError
from space.os_errors import first_line, os_error_line, shared_memory_line

OUT_OF_MEMORY = ("not enough memory", "out of memory", "bad_alloc", "cannot allocate memory", "can't allocate memory")
GPU_TROUBLE = re.compile(
    r"CUDA error|CUDA driver|No CUDA GPUs|NVIDIA driver|not compiled with CUDA|cuDNN error|CUBLAS_STATUS|CUDNN_STATUS",
    re.IGNORECASE,
)


def answered(number: int, work: Callable[[], Answer]) -> Answer:
    """The answer of ``work``, or what went wrong with job ``number``; catches every exception."""
    try:
        return work()
    except (DivergedError, NonFiniteOutputError) as error:
        return Failed(number, str(error), diverged=True)
    except UserError as error:
        return Failed(number, str(error), traceback.format_exc())
    except Exception as error:
        trouble = machine_reason(error)
        if trouble is not None:
            return MachineTrouble(number, trouble, traceback.format_exc())
        return Failed(number, reason_of(error), traceback.format_exc())


def reason_of(error: BaseException) -> str:
    """Type and first line of ``error``: ``ValueError: no such file``; the type alone if there is no text."""
    text, name = first_line(error), type(error).__name__
    return f"{name}: {text}" if text else name


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an allocation failed: Python's, or torch's, whose error on a CPU is a plain RuntimeError."""
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(part in str(error).lower() for part in OUT_OF_MEMORY)
    )


def machine_reason(error: BaseException) -> str | None:
    """What is wrong with the machine, if the exception alone says so; else None.

    A file that cannot be read or written, a library that cannot be loaded and a GPU that does not answer are never the
    network's fault.
    """
    if isinstance(error, OSError):
        return os_error_line(error)
    if isinstance(error, ImportError):
        return reason_of(error)
    if is_out_of_memory(error):
        return None
    if isinstance(error, RuntimeError | AssertionError) and GPU_TROUBLE.search(str(error)):
        return f"{reason_of(error)}; is the GPU there (nvidia-smi)?"
    return shared_memory_line(error)


def death(exit_code: int) -> str:
    """How a process ended, by its exit code as ``subprocess`` gives it (negative: the signal)."""
    if exit_code >= 0:
        return f"exit code {exit_code}"
    try:
        name = signal.Signals(-exit_code).name
    except ValueError:
        name = f"signal {-exit_code}"
    return f"{name}; out of memory?" if exit_code == -signal.SIGKILL else name


def machine_death(exit_code: int) -> str | None:
    """What is wrong with the machine, if the exit code alone says so; else None."""
    if exit_code == -signal.SIGBUS:
        return (
            "a training process died of SIGBUS (bus error): a file it maps was cut short, or the disk or /dev/shm is "
            "full; free some space"
        )
    return None
