"""``evenhand audit``: is this data set fit to train or to judge with?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evenhand import quoting
from evenhand.cli import console, given
from evenhand.cli.configured import checks_first, ready
from evenhand.cli.given import checked
from evenhand.cli.options import Json, Seed, names
from evenhand.errors import BadOption, GateFailed, Inconclusive, UsageError

if TYPE_CHECKING:
    from evenhand.records import Audited, Finding
    from evenhand.studies.audit_options import AuditOptions
    from evenhand.studies.failing import Failed

Files = Annotated[
    list[str],
    typer.Argument(
        metavar="FILE...",
        help="CSV (also .gz, .zst), parquet, a pattern in quotes, duckdb:file#table, "
        "postgres://host/base#table, spark:pattern; or texts: .txt, .jsonl.",
    ),
]
Sensitive = Annotated[
    list[str] | None,
    typer.Option("--sensitive", metavar="COL[,COL]", help="The sensitive attributes' columns."),
]
Target = Annotated[str, typer.Option("--target", metavar="COL", help="The column of labels or decisions.")]
Positive = Annotated[
    list[str] | None,
    typer.Option(
        "--positive", metavar="VALUE[,VALUE]", help="Favourable labels; '>0.5' or median for scores."
    ),
]
Baseline = Annotated[
    str,
    typer.Option(
        "--baseline",
        metavar="A=0.5,B=0.5",
        help="Shares that the groups should have, or a file of them; by default equal.",
    ),
]
Bins = Annotated[
    list[str] | None,
    typer.Option("--bins", metavar="COL=30|50", help="Groups of numbers; COL=year or COL=decade of dates."),
]
Missing = Annotated[
    list[str] | None,
    typer.Option(
        "--missing",
        metavar="[COL=]VALUE",
        help="A value that stands for a missing one: age=-999, several with |; unknown for every column.",
    ),
]
Against = Annotated[
    str | None,
    typer.Option("--against", metavar="FILE", help="Another table of the same columns: does it drift?"),
]
Weights = Annotated[str, typer.Option("--weights", metavar="COL", help="The column of the rows' weights.")]
Audits = Annotated[
    list[str] | None,
    typer.Option(
        "--audits",
        metavar="NAME[:KEY=VALUE]",
        callback=checked(given.each(given.components("audit"))),
        help="Those to run, by default all.",
        autocompletion=names("audit"),
    ),
]
Profile = Annotated[
    str, typer.Option("--profile", metavar="ll144", help="Impact ratios as in Local Law 144.")
]
Texts = Annotated[bool, typer.Option("--texts", help="The files hold texts, whatever their ending.")]
TextColumn = Annotated[
    str, typer.Option("--text-column", metavar="NAME", help="The column or field of the text.")
]
Attribute = Annotated[
    str, typer.Option("--attribute", metavar="NAME", help="Of texts: the lexicon of groups.")
]
Classifier = Annotated[
    str,
    typer.Option(
        "--classifier", metavar="NAME", help="Of texts: lexicon, hf:org/name or hf:./folder score toxicity."
    ),
]
Suppress = Annotated[
    int, typer.Option("--suppress", metavar="N", help="Show no figures of groups below N rows.")
]
Sample = Annotated[
    int, typer.Option("--sample", metavar="N", help="Rows for audits that need rows, at least 100.")
]
SkipBroken = Annotated[bool, typer.Option("--skip-broken", help="Leave out files that cannot be read.")]
Repair = Annotated[
    str,
    typer.Option(
        "--repair",
        metavar="NAME[:KEY=VALUE]",
        help="Write a better data set to --out, and audit that as well.",
        autocompletion=names("repair"),
    ),
]
Out = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="The file that --repair writes.")]
Html = Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write a report.")]
Datasheet = Annotated[
    Path | None, typer.Option("--datasheet", metavar="FILE", help="Write a datasheet (Markdown).")
]
FailOn = Annotated[
    list[str] | None,
    typer.Option(
        "--fail-on", metavar="CONDITION", help="beyond, unclear, or such as 'label_rates.effect>0.1'."
    ),
]


@checks_first
def audit(
    files: Files,
    *,
    sensitive: Sensitive = None,
    target: Target = "",
    positive: Positive = None,
    baseline: Baseline = "",
    bins: Bins = None,
    missing: Missing = None,
    against: Against = None,
    weights: Weights = "",
    audits: Audits = None,
    profile: Profile = "",
    texts: Texts = False,
    text_column: TextColumn = "",
    attribute: Attribute = "gender",
    classifier: Classifier = "",
    suppress: Suppress = 0,
    sample: Sample = 20_000,
    skip_broken: SkipBroken = False,
    repair: Repair = "",
    out: Out = None,
    html: Html = None,
    datasheet: Datasheet = None,
    fail_on: FailOn = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> int:
    """Audit a table or a corpus: who is in it, with which labels, what is missing, what tells the attribute.

    The exit code is 1 when a condition of --fail-on is met, and 3 when one could not be judged.
    """
    from evenhand import registry
    from evenhand.studies import failing
    from evenhand.studies.audit_options import AuditOptions

    known = registry.names("audit")
    failing.checked(fail_on or (), known)
    if bool(repair) != (out is not None):
        raise UsageError(
            "--repair and --out go together.", mend="Add --repair reweigh --out weighed.parquet."
        )
    options = AuditOptions(
        sensitive=_listed(sensitive),
        target=target,
        positive=_listed(positive),
        baseline=baseline,
        bins=_pairs(bins or ()),
        missing=missing or (),
        against=against,
        weights=weights,
        audits=audits or (),
        profile=profile,
        texts=texts or bool(text_column) or None,
        text_column=text_column,
        attribute=attribute,
        classifier=classifier,
        suppress=suppress,
        sample=sample,
        skip_broken=skip_broken,
        seed=seed,
    )
    ready()
    source = files[0] if len(files) == 1 else files
    before, after = _run(source, options, repair, out, (html, datasheet))
    found = failing.failed(after or before, fail_on or (), known)
    _shown(before, after, found, {"report": html, "datasheet": datasheet, "repaired": out}, as_json)
    if any(one.findings for one in found):
        return GateFailed.exit_code
    return Inconclusive.exit_code if any(one.open for one in found) else 0


def _run(
    source: Any, options: AuditOptions, repair: str, out: Path | None, pages: tuple[Path | None, Path | None]
) -> tuple[Audited, Audited | None]:
    """The audit, the audit of what was repaired, and their pages."""
    from evenhand.outputs import check_different, check_output_file
    from evenhand.reports import SIGN, audits, datasheets
    from evenhand.studies import auditing, repairing

    html, datasheet = pages
    check_different({"--html": html, "--datasheet": datasheet, "--out": out})
    if html is not None:
        check_output_file(html, SIGN)
    if datasheet is not None:
        check_output_file(datasheet, datasheets.SIGN)
    question = auditing.question_of(source, options)
    if repair and out is not None:
        repairing.check(question, repair, out)
    before, after = auditing.answered(question, options), None
    if repair and out is not None:
        after = repairing.repaired(question, options, repair, out)
    if html is not None:
        audits.write(html, before, after)
    if datasheet is not None:
        datasheets.write(datasheet, after or before)
    return before, after


def _listed(values: list[str] | None) -> list[str]:
    return [name for value in values or () for name in quoting.names(value)]


def _pairs(texts: Sequence[str]) -> dict[str, str]:
    """The rules of ``--bins`` by column.

    Raises:
        BadOption: a text is no rule, or a column has two.
    """
    made: dict[str, str] = {}
    for name, rule in map(_pair, texts):
        if name in made:
            raise BadOption(f"--bins names the column {name} twice.", mend=f"Write --bins {name}=30|50 once.")
        made[name] = rule
    return made


def _pair(text: str) -> tuple[str, str]:
    name, *rules = quoting.pieces(text, "=")
    rule = "=".join(rules)
    if not quoting.plain(name) or not rule.strip():
        raise BadOption(f"{text!r} are no bins.", mend="Write --bins age=30|50, or --bins born=year.")
    return quoting.plain(name), rule.strip()


def _shown(
    before: Audited,
    after: Audited | None,
    found: list[Failed],
    written: dict[str, Path | None],
    as_json: bool,
) -> None:
    from evenhand.records import to_json

    paths = {name: None if path is None else str(path) for name, path in written.items()}
    failures = [
        {
            "condition": one.condition,
            "met": [finding.finding for finding in one.findings],
            "undefined": [finding.finding for finding in one.undefined],
            "tried": not one.untried,
        }
        for one in found
    ]
    if as_json:
        body = payload(before)
        console.emit(
            {**body, "after": None if after is None else payload(after), "failures": failures, **paths}
            | {"made_by": to_json(before.made_by)}
        )
        return
    _told(before, after)
    for name, path in paths.items():
        if path is not None:
            console.say(f"{name.capitalize()}: {path}")
    for one in found:
        console.say(_outcome(one))


def _outcome(one: Failed) -> str:
    """What became of a condition of --fail-on, in a sentence."""
    if one.findings:
        return f"Fails on {one.condition}: {len(one.findings)} findings."
    if one.untried:
        return f"Not judged, {one.condition}: the audit did not run, or had nothing to look at."
    if one.undefined:
        return f"Not judged, {one.condition}: {len(one.undefined)} findings without that figure."
    return f"Passes {one.condition}."


def payload(record: Audited) -> dict[str, Any]:
    """The JSON of an audit: its findings are ``audits``."""
    from evenhand.records import to_json

    data: dict[str, Any] = to_json(record)
    data["audits"] = data.pop("findings")
    del data["made_by"]
    return data


def _told(before: Audited, after: Audited | None) -> None:
    unit = "rows" if before.kind == "table" else "documents"
    console.say(f"{before.source}: {before.n} {unit}")
    order = {"beyond": 0, "unclear": 1, "within": 2, "note": 3}
    for state in sorted(order, key=lambda one: order[one]):
        own = [one for one in before.findings if one.state == state]
        if own:
            console.say(f"\n{state.upper()}")
            for one in own:
                console.say(_line(one))
    for note in before.notes:
        console.say(f"\nNote: {note}")
    if after is not None:
        _compared(before, after)


def _line(one: Finding) -> str:
    text = f"- {one.finding}"
    return (
        f"{text}\n    {one.mend}\n    {one.command}"
        if one.command and one.state in ("beyond", "unclear")
        else text
    )


def _compared(before: Audited, after: Audited) -> None:
    """The findings after a repair beside those before."""
    from evenhand.reports.audits import chance, figure

    held = {(one.name, one.columns): one for one in before.findings}
    rows = []
    for one in after.findings:
        old = held.get((one.name, one.columns))
        rows.append(
            [
                one.name,
                ", ".join(one.columns),
                figure(old.effect) if old else "",
                figure(one.effect),
                chance(one.p_value),
                one.state.value,
            ]
        )
    console.table(
        f"After the repair: {after.source}",
        ["audit", "columns", "before", "after", "p", "state"],
        rows,
        labels=2,
    )
