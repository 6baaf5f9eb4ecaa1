"""What alerts are made of and remember: cohorts in, states and decisions out. All of it is JSON.

``State.model_validate_json(state.model_dump_json())`` is the same state, to the last digit.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

Status = Literal["ok", "alert", "insufficient data"]
Change = Literal["opened", "reminder", "acknowledged"]
"""What a message is about: an alert that opened, that is still open after the cooldown, that was answered."""
Pair = tuple[int, int]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Scope(_Part):
    """Where a rule is applied: each has a baseline and tests of its own."""

    rule: str
    use_case: str
    model: str
    version: str


class Cohort(_Part):
    """What one indicator counted among the items of one short period, by group: `counts` are (n, x), items
    and ones, such as decisions and favourable ones.

    `end` is when the period ended; `stratum` is what was held fixed beside the groups, if anything.
    """

    indicator: str
    attribute: tuple[str, ...]
    use_case: str
    model: str
    version: str
    end: AwareDatetime
    counts: dict[str, Pair]
    stratum: str = ""

    @model_validator(mode="after")
    def _possible(self) -> Cohort:
        for group, (n, x) in self.counts.items():
            if not 0 <= x <= n:
                raise ValueError(f"group {group!r} has {x} ones of {n} items")
        return self

    def scope(self, rule: str) -> Scope:
        """Where a rule is applied to it."""
        return Scope(rule=rule, use_case=self.use_case, model=self.model, version=self.version)


class Place(Scope):
    """One comparison of a scope: the two groups, in the order of their names."""

    groups: tuple[str, str]


class Test(_Part):
    """The test that a comparison is in. `n` and `x` count the items that were bet on, by group; `streams` is
    the capital of each stratum, as `evenhand.stats.betting.Wealth.as_lists` writes it.

    `raised` is when it became an alert, which it stays until somebody acknowledges it; `told` is when the
    last message about it went out. `number` is 1 for the first test of a comparison and rises by one with
    each acknowledged alert.
    """

    groups: tuple[str, str]
    number: Annotated[int, Field(ge=1)]
    started: AwareDatetime
    streams: tuple[dict[str, Any], ...]
    n: Pair = (0, 0)
    x: Pair = (0, 0)
    raised: AwareDatetime | None = None
    told: AwareDatetime | None = None


class Acknowledged(_Part):
    """An alert that somebody answered for, and the test that it ended."""

    groups: tuple[str, str]
    number: int
    started: AwareDatetime
    raised: AwareDatetime
    ended: AwareDatetime
    n: Pair
    x: Pair
    log_e: float
    by: str
    note: str


class Watch(_Part):
    """A scope and its tests; `asked` is what its rule asked for in them.

    Cohorts up to `through` have entered; `passed_over` counts those that came for a period that was judged
    already (late or corrected), which change nothing.
    """

    scope: Scope
    asked: str
    started: AwareDatetime
    through: AwareDatetime
    tests: tuple[Test, ...] = ()
    acknowledged: tuple[Acknowledged, ...] = ()
    passed_over: int = 0


class State(_Part):
    """All that is carried from one look to the next. `now` is the latest time that was ever told;
    `backwards` counts the looks whose clock was behind it."""

    now: AwareDatetime | None = None
    watches: tuple[Watch, ...] = ()
    backwards: int = 0


class Decision(_Part):
    """What a look says of one comparison. `groups` is None where there is nothing to compare yet.

    `log_e` is the log of the capital (alert at log(K/(alpha k)), see `evenhand.stats.merging.e_bh`); `lower`
    is the group with the lower rate (of an error rate that is the better one), None where both are equal.
    `notify` are the receivers that a message has to go to now, and `change` is what it is about; both are
    empty where there is nothing to tell. `why` is one plain sentence or a few.
    """

    scope: Scope
    groups: tuple[str, str] | None
    status: Status
    why: str
    number: int = 1
    since: AwareDatetime | None = None
    n: Pair = (0, 0)
    x: Pair = (0, 0)
    log_e: float = 0.0
    lower: str | None = None
    notify: tuple[str, ...] = ()
    change: Change | None = None


class Look(_Part):
    """The state after a look, and what it says."""

    state: State
    decisions: tuple[Decision, ...]
