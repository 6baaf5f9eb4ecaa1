"""Planning, running and retrying every kind of request that needs weights (needs the ``hf`` extra).

`evenhand.scoring.runners` has one file for each kind; all of them run in the batches of
`evenhand.scoring.batching`. For log-probabilities a list of requests becomes a plan (unique rows, the
positions whose prediction is needed), the plan becomes batches under a token budget, and the language-model
head runs on the needed positions only, in float32. The interface hides how rows share work.
"""

from evenhand.scoring.engine import Scorer
from evenhand.scoring.report import ScoringReport

__all__ = ["Scorer", "ScoringReport"]
