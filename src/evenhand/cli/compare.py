"""``evenhand compare``: a comparison of two stored runs on the same items."""

from __future__ import annotations

import shlex

from evenhand.cli import console, show
from evenhand.cli.options import Json, Run


def compare(before: Run, after: Run, as_json: Json = False) -> int:
    """Compare two runs on the same items: better, worse or unresolved; refuses different protocols.

    A change is better or worse where its interval is certain and it is at least as large as the smallest
    relevant one. Of a verification, the measurements after treatment are used.
    """
    from evenhand.records import to_json
    from evenhand.reports import doubted
    from evenhand.studies import noise, runs
    from evenhand.studies.fitness import is_about_words
    from evenhand.studies.resolving import resolution

    stored = [runs.opened(run) for run in (before, after)]
    old, new = (run.measurements for run in stored)
    effects = runs.compare(old, new)
    shared = {effect.benchmark for effect in effects}
    first = doubted.of([m for m in old if m.benchmark in shared])
    last = doubted.of([m for m in new if m.benchmark in shared], old)
    compared = [m for m in (*old, *new) if m.benchmark in shared]
    notes = [*doubted.both_sides(first, last), *noise.stated(compared)]
    doubts = {*doubted.whole(first), *doubted.whole(last)}
    said = [resolution(e, doubted=e.benchmark in doubts and not is_about_words(e.metric)) for e in effects]
    if as_json:
        places = {"before": str(before), "after": str(after)}
        rows = [{**to_json(e), "resolution": to_json(one)} for e, one in zip(effects, said, strict=True)]
        console.emit({**places, "effects": rows, "notes": notes})
        return 0
    console.say(f"{before} → {after}")
    show.effects(effects)
    show.resolutions(effects, said)
    show.notes(notes)
    if all(run.verdict is None for run in stored):
        _point_to_verdict(old[0].model.uri, new[0].model.uri)
    return 0


def _point_to_verdict(base: str, treated: str) -> None:
    """A comparison of two models does not say which change is damage: name the command that does."""
    if base != treated:
        command = shlex.join(["evenhand", "verify", base, "--treated", treated])
        console.say(f"Mitigated, or just broken? {command}")
