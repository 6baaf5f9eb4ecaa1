"""Recipes of the tables of three sources, for any model: LFTF, FairCon and the UQAC study.

A recipe states what is measured before, which treatments are fitted, what is measured after, and which claims
of the source the figures decide. Everything runs through the machinery of studies.
"""

from __future__ import annotations

from evenhand.reproductions.preparing import Asked, Prepared, check, forecast, prepared
from evenhand.reproductions.result import Reproduction
from evenhand.reproductions.running import RECIPES, recipe_of, run

__all__ = [
    "RECIPES",
    "Asked",
    "Prepared",
    "Reproduction",
    "check",
    "forecast",
    "prepared",
    "recipe_of",
    "run",
]
