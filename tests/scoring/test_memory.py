"""Running out of memory is recognised by its many names, and nothing else is."""

from __future__ import annotations

import pytest
import torch

from evenhand.scoring.memory import attempt, make_room, ran_out


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        MemoryError(),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory: you tried"
        ),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes."),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("MPS backend out of memory"),
    ],
)
def test_memory_errors(error):
    assert ran_out(error)


@pytest.mark.parametrize(
    "error",
    [RuntimeError("mat1 and mat2 shapes cannot be multiplied"), ValueError("out of memory"), KeyError("x")],
)
def test_other_errors(error):
    assert not ran_out(error)


def test_a_real_allocation_failure_is_recognised():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert ran_out(caught.value)
    make_room()


def test_an_attempt_gives_the_answer_or_none_when_memory_ran_out():
    def fail(error: Exception) -> int:
        raise error

    assert attempt(lambda: 0) == 0
    assert attempt(lambda: fail(MemoryError())) is None
    with pytest.raises(KeyError):
        attempt(lambda: fail(KeyError("x")))
