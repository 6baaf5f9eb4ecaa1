"""``evenhand demo``: the main workflow on a model with a known bias, offline, in plain sentences."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evenhand import decimals
from evenhand.cli import console, payload, show
from evenhand.cli.options import Json, Seed, WithMethod
from evenhand.cli.verify import REPORT, check_report
from evenhand.reports import formats, sentences

if TYPE_CHECKING:
    from evenhand.records import Attribution, Effect, Verification

URI = "lab:causal"
Folder = Annotated[Path, typer.Option("--out", help="Folder for the results; a second run resumes there.")]


def demo(
    with_: WithMethod = "lftf",
    out: Folder = Path("runs/demo"),
    seed: Seed = 0,
    as_json: Json = False,
) -> int:
    """Measure a small model with a known bias, locate it, treat it, judge it, and write a report.

    Everything is made here: the model is trained on the first run, and nothing is downloaded.
    """
    os.environ["HF_HUB_OFFLINE"] = "1"
    from evenhand.studies import verbs
    from evenhand.studies.options import VerifyOptions

    check_report(out / REPORT)
    if not as_json:
        _opening()
    options = VerifyOptions(seed=seed, out=out, locator="bmi", control="reduced")
    record = verbs.verify(URI, with_, options)
    ablation = verbs.locate(URI, "ablation", options)
    path = _report(record, ablation, out)
    if as_json:
        console.emit(payload.verification(record, path) | {"ablation": payload.attribution(ablation)})
    else:
        _story(record, ablation, path)
    return 0


def _opening() -> None:
    console.say(f"This measures {URI}, a small language model trained here with a known bias:")
    console.say("for each of 262 professions it prefers “he” or “she” by a planted amount.\n")


def _report(record: Verification, ablation: Attribution, out: Path) -> Path:
    from evenhand import reports

    path = out / REPORT
    reports.write_report(path, reports.verification_html(record, locations=(ablation,)))
    return path


def _story(record: Verification, ablation: Attribution, path: Path) -> None:
    from evenhand.reports import view

    console.say("1. Measured: how far apart are P(he) and P(she) after “The nurse smiled because”?")
    for measurement in record.before:
        show.measurement(measurement)
    console.say("2. Located: which block carries it?")
    for location in (record.location, ablation):
        if location is not None:
            console.say(f"   {location.locator}: {location.top}. {sentences.locator_sentence(location)}")
    console.say(f"\n3. Treated with {record.treatment}, then measured again on the same items:")
    for effect in view.headlines(record):
        console.say(f"   {_sentence(effect)}")
    console.say("\n4. Judged, against models that were changed as much without a signal about the groups:\n")
    show.verdict(record)
    console.say(sentences.reduced_sentence(record.control))
    show.notes(record.notes)
    console.say(f"\nThe report with every figure: {path}")
    console.say("Your own model: evenhand verify hf:org/name --with lftf")


def _sentence(effect: Effect) -> str:
    from evenhand.reports.tables import metric_title

    before, after = decimals.number(effect.before.value), decimals.number(effect.after.value)
    change = formats.with_interval(effect.change, signed=True)
    return (
        f"{metric_title(effect.metric)} ({effect.benchmark}): {before} before, {after} after; change {change}"
    )
