"""Data sets with something planted, and without."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from evenhand.testing.audits import SECRET

N = 4000
ASKED = {"sensitive": "sex", "target": "y"}


def people(seed: int = 0, n: int = N, **changes: Any) -> pd.DataFrame:
    """People of two groups of the same size, rates and values; one row holds a secret."""
    rng = np.random.default_rng(seed)
    sex = np.repeat(["f", "m"], [n // 2, n - n // 2])
    frame = pd.DataFrame(
        {
            "sex": sex,
            "y": (np.arange(n) % 4 == 0).astype(int),
            "height": rng.normal(170, 8, n),
            "noise": rng.normal(size=n),
            "name": np.where(np.arange(n) == 7, SECRET, "somebody"),
        }
    )
    return frame.assign(**changes)


def quiet() -> tuple[Any, dict[str, Any]]:
    return people(), ASKED


def where(frame: pd.DataFrame, sex: str, seed: int, share: float) -> np.ndarray:
    """A random `share` of the rows of one group."""
    return np.asarray((frame["sex"] == sex) & (np.random.default_rng(seed).random(len(frame)) < share))


def texts(he: int, she: int, both: bool = False) -> list[str]:
    """Documents about doctors and nurses; with `both`, each has its counterpart."""
    made = [f"He is a doctor in house {i}." for i in range(he)]
    made += [f"She is a nurse in house {i}." for i in range(she)]
    if both:
        made += [f"She is a doctor in house {i}." for i in range(he)]
        made += [f"He is a nurse in house {i}." for i in range(she)]
    return [*made, f"The name is {SECRET}."]
