"""The one engine that plans and runs all log-probability requests (needs the ``hf`` extra).

A request is a `Continuation`; a list of them becomes a plan (unique rows, the positions whose prediction is
needed), the plan becomes batches under a token budget, and the language-model head runs on the needed
positions only, in float32. The interface does not tell how rows share work.
"""

from evenhand.scoring.engine import Scorer, ScoringReport

__all__ = ["Scorer", "ScoringReport"]
