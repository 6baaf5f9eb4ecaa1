"""The contract case of the instruction; what it does to answers: `tests/treatments`."""

from __future__ import annotations

from evenhand.testing import MitigationCase

# On the tiny models of 64 positions the default instruction does not fit.
CASE = MitigationCase("prompt", "prompt:text=Anyone may be late.")
