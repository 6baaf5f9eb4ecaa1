"""``evenhand compare``: a comparison of two stored runs on the same items."""

from __future__ import annotations

from evenhand.cli import calls, console, show
from evenhand.cli.options import Json, Run


def compare(before: Run, after: Run, as_json: Json = False) -> int:
    """Compare two runs on the same items; refuses different protocols and names what differs."""
    from evenhand.records import to_json

    effects, doubts = calls.compare(before, after)
    if as_json:
        runs = {"before": str(before), "after": str(after)}
        console.emit({**runs, "effects": to_json(effects), "notes": doubts})
        return 0
    console.say(f"{before} → {after}")
    show.effects(effects)
    show.notes(doubts)
    return 0
