"""The first screen: a plain sentence, one next step, and three figures that say which way is good.

A card never says only "higher" or "lower": it names the ideal value, which may lie inside the range, and
where a limit was set beforehand the limit.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass

from evenhand import decimals
from evenhand.records import Check, Effect, Estimate, FamilyResult, Measurement, VerdictName, Verification
from evenhand.reports import advice, checked, formats, leading, sentences, tables
from evenhand.studies import parts, reasons
from evenhand.studies.distance import distance_of
from evenhand.studies.fitness import doubts, is_about_words
from evenhand.studies.grid.result import Outcome, StudyResult

CARDS = 3
_STATES = {checked.LOST: "bad", checked.UNDECIDED: "mixed", checked.UNMEASURED: "mixed", checked.KEPT: "good"}


@dataclass(frozen=True, slots=True)
class Card:
    """One figure of the first screen.

    Attributes:
        label: what was measured, and on what.
        before: the figure before a treatment; empty where there is one figure only.
        figure: the figure, or the one after the treatment.
        detail: its interval, or the change with its interval.
        good: which way is good, with the ideal or the limit.
        state: what the figure shows, in a word or two; empty where nothing is claimed.
        tone: ``good``, ``mixed``, ``bad`` or ``neutral``.
    """

    label: str
    before: str
    figure: str
    detail: str
    good: str
    state: str = ""
    tone: str = "neutral"


def good_way(metric: str, ideal: float | None) -> str:
    """Which way a metric is good, with its ideal: ``lower is better, 0 is ideal``; or that none is best."""
    way = tables.better(metric, ideal)
    if ideal is None or way == "–":
        return "descriptive: no value is best"
    return way if way.startswith("best at") else f"{way}, {ideal:g} is ideal"


def of_verification(record: Verification, marked: Sequence[Container[str]]) -> tuple[Card, ...]:
    """The bias that the verdict is about, what lies beyond the control models, and the check most at risk.

    No cards where before and after do not compare. `marked` are benchmarks in doubt, before and after.
    """
    effect = leading.about(record)
    if effect is None or record.verdict is VerdictName.NOT_COMPARABLE:
        return ()
    found = [
        _of_effect(effect, record.verdict, marked),
        _beyond_controls(record),
        _most_at_risk(leading.checks(record)),
    ]
    return tuple(card for card in found if card is not None)


def _of_effect(effect: Effect, verdict: VerdictName, marked: Sequence[Container[str]]) -> Card:
    """Green only under a verdict of mitigation: a fall that damage explains as well is no good news."""
    certain, fell = leading.certainly_moved(effect), leading.fell(effect)
    claimed = sentences.TONES[verdict] in ("good", "mixed")
    before, after, change = tables.marked_figures(effect, marked)
    return Card(
        f"{tables.metric_title(effect.metric)} · {effect.benchmark}",
        before,
        after,
        f"change {change}",
        good_way(effect.metric, effect.before.ideal),
        "nearer its ideal" if fell else "further from its ideal" if certain else "no certain change",
        ("good" if claimed else "neutral") if fell else "bad" if certain else "neutral",
    )


def _beyond_controls(record: Verification) -> Card:
    """The part of the fall that the family nearest to the treated model does not explain."""
    control = record.control
    read = [f for f in (control.families if control else ()) if f.matched and f.specific.value is not None]
    label = "Fall of the bias beyond control models"
    if control is None or not read:
        why = record.uncontrolled or (
            "No family could be read." if control else "No control models were run."
        )
        return Card(label, "", "not tested", why, "higher is better", "not shown", "neutral")
    weakest = min(read, key=_specific)
    counted = parts.countable(control.families)
    shown = not control.reduced and all(parts.beyond_in(control, family) for family in counted)
    return Card(
        f"{label}, at least (family: {weakest.family})",
        "",
        decimals.number(weakest.specific.value),
        f"95 % interval {formats.interval(weakest.specific)}; largest p {formats.p_value(control.p_value)}",
        f"higher is better; {decimals.number(control.delta)} or more is relevant",
        "shown" if shown else "too few kinds of models" if control.reduced else "not shown",
        "good" if shown else "neutral",
    )


def _specific(family: FamilyResult) -> float:
    return family.specific.value or 0.0


def _most_at_risk(found: Sequence[Check]) -> Card | None:
    """The check that was lost, else the first that is open, else the one nearest to its margin."""
    if not found:
        return None
    order = [checked.LOST, checked.UNDECIDED, checked.UNMEASURED, checked.KEPT]
    worst = min(found, key=lambda check: (order.index(checked.state(check)), -_used(check)))
    kept = sum(check.kept is True for check in found)
    state = checked.state(worst)
    either = checked.words(worst).both
    margin = checked.amount(worst, worst.margin)
    return Card(
        f"Most at risk: loss of {checked.title(worst)}",
        "",
        "not measured" if worst.loss.value is None else checked.signed(worst, worst.loss.value),
        f"{_span(worst)}{kept} of {len(found)} checks are kept",
        f"0 is ideal; up to {margin} {'either way ' if either else ''}counts as kept",
        state,
        _STATES[state],
    )


def _used(check: Check) -> float:
    """How much of its margin a check has used up; all of it where no loss is excluded."""
    least = checked.bound(check)
    return 1.0 if least is None or not check.margin else least / check.margin


def _span(check: Check) -> str:
    low, high = check.loss.low, check.loss.high
    if low is None or high is None:
        return ""
    level = decimals.percent(check.loss.level)
    return f"{level} interval {checked.signed(check, low)} to {checked.signed(check, high)}; "


def of_measurements(records: Sequence[Measurement]) -> tuple[Card, ...]:
    """The figure that each benchmark is about, those of bias first; three at most."""
    ordered = sorted(records, key=lambda m: m.role != "bias")
    return tuple(_of_measurement(m) for m in ordered if m.metrics)[:CARDS]


def main_metric(m: Measurement) -> str:
    """What a benchmark is about: its primary metric, else its first."""
    return m.primary if m.primary is not None and m.primary in m.metrics else next(iter(m.metrics))


def _of_measurement(m: Measurement) -> Card:
    name = main_metric(m)
    found = m.metrics[name]
    unsure = "" in doubts(m) and not is_about_words(name)
    return Card(
        f"{tables.metric_title(name)} · {m.benchmark}",
        "",
        decimals.number(found.value),
        f"{_level(found)} interval {formats.interval(found)}; n {formats.count(found)}",
        good_way(name, found.ideal),
        "unreliable †" if unsure else "",
        "mixed" if unsure else "neutral",
    )


def _level(found: Estimate) -> str:
    return decimals.percent(found.level)


def measured_sentence(records: Sequence[Measurement]) -> str:
    """What the first benchmark of bias found, in one sentence; of capability where there is no other."""
    with_figures = [m for m in records if m.metrics]
    m = next((m for m in with_figures if m.role == "bias"), next(iter(with_figures), None))
    if m is None:
        return "Nothing was measured."
    metric = main_metric(m)
    found, name = m.metrics[metric], leading.metric_name(metric, m.benchmark)
    if found.value is None:
        return f"{name} is undefined on {m.benchmark}: no item of {m.n} has a defined value."
    if "" in doubts(m) and not is_about_words(metric):
        return f"{name} is {decimals.number(found.value)}, but the figure is unreliable: see † below."
    away = _away(found)
    return f"{name} is {decimals.number(found.value)} on {m.benchmark}{away}."


def _away(found: Estimate) -> str:
    """How the figure stands to its ideal, as the end of a sentence."""
    low, high, ideal = found.low, found.high, found.ideal
    if ideal is None:
        return ""
    if low is None or high is None:
        return f"; its ideal is {ideal:g}"
    if _may_be_ideal(found):
        return f", which may be its ideal of {ideal:g}: the interval is {formats.interval(found)}"
    return f", and certainly not its ideal of {ideal:g}: the interval is {formats.interval(found)}"


def _may_be_ideal(found: Estimate) -> bool:
    low, high, ideal = found.low, found.high, found.ideal
    return low is not None and high is not None and ideal is not None and low <= ideal <= high


def measured_step(records: Sequence[Measurement]) -> str:
    """One thing to do after a measurement; commands stand between backticks."""
    biased = [m for m in records if m.role == "bias" and m.metrics]
    if not biased:
        return "Measure a bias as well: `evenhand ls benchmarks` lists what there is."
    uri, m = records[0].model.uri, biased[0]
    found = m.metrics[main_metric(m)]
    if found.value is None or "" in doubts(m):
        return "Read the reason below before using the figure, and measure with items that suit the model."
    if _may_be_ideal(found):
        return "Nothing is certain enough to treat: measure more items, or another bias."
    words = ("evenhand", "verify", uri, "--with", "prompt", "-b", m.benchmark)
    return (
        f"Treat it and have that judged, for example `{shlex.join(words)}`; "
        "`evenhand ls mitigations` lists the methods."
    )


def study_sentence(result: StudyResult) -> str:
    """How many cells got each verdict, in one sentence."""
    done = [o.record for o in result.outcomes if o.record is not None]
    if not done:
        return "No cell of this study is done, so nothing can be said yet."
    counts = Counter(sentences.headline(o.record) for o in _ranked(result) if o.record is not None)
    said = reasons.listed(f"{n} {name}" for name, n in counts.items())
    return f"Of {len(done)} judged {'cell' if len(done) == 1 else 'cells'}: {said}."


def study_step(result: StudyResult) -> str:
    """One thing to do after a study: finish it, else what its best cell suggests."""
    open_cells = result.study.cells - sum(o.record is not None for o in result.outcomes)
    if open_cells:
        are = "cell is" if open_cells == 1 else "cells are"
        return f"{open_cells} {are} missing: `evenhand study run` with the same file goes on with them."
    ranked = _ranked(result)
    if any(o.record is not None and not reasons.is_judged(o.record) for o in ranked):
        return 'Make control models: write `control = "standard"` in the study\'s file and run it again.'
    assert ranked[0].record is not None  # `_ranked` holds judged cells only
    return f"For {_cell(ranked[0])}: {advice.next_step(ranked[0].record)}"


def of_study(result: StudyResult) -> tuple[Card, ...]:
    """Three cells: the strongest verdict first, then the fewest lost checks, then the least bias left."""
    found = []
    for outcome in _ranked(result)[:CARDS]:
        record = outcome.record
        effect = None if record is None else leading.about(record)
        if record is None or effect is None:
            continue
        found.append(
            Card(
                f"{_cell(outcome)}: {effect.metric}",
                decimals.number(effect.before.value),
                decimals.number(effect.after.value),
                f"change {formats.with_interval(effect.change, signed=True)}",
                good_way(effect.metric, effect.before.ideal),
                sentences.headline(record),
                sentences.TONES[record.verdict],
            )
        )
    return tuple(found)


def _strength() -> tuple[VerdictName, ...]:
    from evenhand.studies.seeds import STRENGTH  # here: numpy must not be loaded for --help

    return STRENGTH


def _ranked(result: StudyResult) -> list[Outcome]:
    """The judged cells, in the order of `of_study`."""

    def key(outcome: Outcome) -> tuple[int, int, float]:
        assert outcome.record is not None
        effect = leading.about(outcome.record)
        left = None if effect is None else distance_of(effect).value(effect.after.value)
        lost = sum(check.kept is False for check in leading.checks(outcome.record))
        return _strength().index(outcome.record.verdict), lost, float("inf") if left is None else left

    return sorted((o for o in result.outcomes if o.record is not None), key=key)


def _cell(outcome: Outcome) -> str:
    return f"{outcome.cell.mitigation} on {outcome.cell.model}, seed {outcome.cell.seed}"
