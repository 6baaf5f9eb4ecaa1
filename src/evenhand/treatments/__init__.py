"""Treatments: the result of a mitigation. Apply, undo bit for bit, save, load, and check the effect.

A treatment folder holds ``mitigation.json`` (the method, the base model, the evidence of an effect) and the
files of its kind: `weights` has ``weights.safetensors`` with the treated values in float32, `prompt` has
``prompt.txt``, `rule` has ``rule.json``, `adapter` the two files that peft writes, `stack` a folder for each
of its parts. Each kind is a module of
this folder whose object `component` is a `Kind`; `load` finds it by its name.
"""

from __future__ import annotations

from evenhand.treatments._base import (
    CARD,
    KIND,
    About,
    Kind,
    Treatment,
    check_base,
    damaged,
    treated_spec,
    write_card,
)
from evenhand.treatments._loading import holds_treatment, kinds, load
from evenhand.treatments._merging import check_mergeable, merge
from evenhand.treatments._proof import prove, proven
from evenhand.treatments._scaling import scalable, scaled

__all__ = [
    "CARD",
    "KIND",
    "About",
    "Kind",
    "Treatment",
    "check_base",
    "check_mergeable",
    "damaged",
    "holds_treatment",
    "kinds",
    "load",
    "merge",
    "prove",
    "proven",
    "scalable",
    "scaled",
    "treated_spec",
    "write_card",
]
