"""The typer application: every verb by its name, in the order in which people need them."""

from __future__ import annotations

import typer

from evenhand import __version__
from evenhand.cli import (
    audit,
    compare,
    data,
    demo,
    doctor,
    gate,
    lint,
    locate,
    ls,
    measure,
    mitigate,
    monitor_canaries,
    plan,
    push,
    report,
    reproduce,
    study,
    validate,
    verify,
)
from evenhand.cli.configured import Configured

app = typer.Typer(
    name="evenhand",
    help="Measure, locate, mitigate, verify and monitor social bias in language models.",
    epilog="Start with `evenhand demo`. A model is named by one string: lab:causal, hf:org/name@revision, "
    "hf:./folder, openai:URL#model, recorded:file.jsonl. With arguments: name:key=value,key=value.",
    context_settings={"help_option_names": ["-h", "--help"]},  # sub-commands inherit it
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"evenhand {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", "-V", callback=_version, is_eager=True, help="Say which version."
    ),
) -> None:
    """Measure, locate, mitigate, verify and monitor social bias in language models."""


for _verb, _short in (
    (demo.demo, "The main workflow on a small model trained here, in plain words."),
    (audit.audit, "Is this data set fit to train or to judge with?"),
    (measure.measure, "How biased is this model, on what, how certainly?"),
    (locate.locate, "Which blocks carry the bias?"),
    (mitigate.mitigate, "Reduce it, and keep the treatment."),
    (verify.verify, "Is it mitigated, or just broken?"),
    (report.report, "Write a stored run as one HTML file."),
    (compare.compare, "Two stored runs on the same items."),
    (gate.gate, "Fail a build when a run misses a condition."),
    (lint.lint, "What cannot be right in a published table."),
    (reproduce.reproduce, "A paper's tables on any model."),
    (plan.plan, "What a verify would run."),
    (push.push, "A treated model with its card, to the hub."),
    (validate.validate, "Check a study file or a configuration."),
    (ls.ls, "What there is to use."),
    (doctor.doctor, "What this machine has, and what is missing."),
):
    app.command(_verb.__name__, cls=Configured, short_help=_short)(_verb)
app.add_typer(study.app, name="study", short_help="Many mitigations on many models, from one file.")
app.add_typer(
    monitor_canaries.app, name="monitor", short_help="Keep it that way in production: a service with alerts."
)
app.add_typer(data.app, name="data", short_help="Benchmark data: list, fetch, check, find.")
