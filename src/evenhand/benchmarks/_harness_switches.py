"""Temporary settings of the harness and of its libraries: log messages, network, running code."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr


@contextmanager
def quiet() -> Iterator[None]:
    """Without the progress bars and the remarks that the harness writes about its own settings."""
    log = logging.getLogger("lm_eval")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with redirect_stderr(io.StringIO()):
            yield
    finally:
        log.setLevel(level)


@contextmanager
def network(allowed: bool) -> Iterator[None]:
    """Unless `allowed`, data sets and the programs of the evaluate library come from this machine alone."""
    import datasets.config as data
    import evaluate.config as programs
    from huggingface_hub import constants as hub

    kept = (data.HF_HUB_OFFLINE, hub.HF_HUB_OFFLINE, programs.HF_EVALUATE_OFFLINE)
    if not allowed:
        data.HF_HUB_OFFLINE = hub.HF_HUB_OFFLINE = programs.HF_EVALUATE_OFFLINE = True
    try:
        yield
    finally:
        data.HF_HUB_OFFLINE, hub.HF_HUB_OFFLINE, programs.HF_EVALUATE_OFFLINE = kept


@contextmanager
def code_allowed(wanted: bool) -> Iterator[None]:
    """With the consent that the code evaluator looks for, if it was given; the task tries it on loading."""
    name = "HF_ALLOW_CODE_EVAL"
    kept = os.environ.get(name)
    if wanted:
        os.environ[name] = "1"
    try:
        yield
    finally:
        if wanted and kept is None:
            del os.environ[name]
        elif wanted and kept is not None:
            os.environ[name] = kept
