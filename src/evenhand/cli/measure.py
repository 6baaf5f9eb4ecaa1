"""``evenhand measure``: how biased is this model, on what, with what certainty?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from evenhand.cli import console, payload, show
from evenhand.cli.configured import checks_first, ready
from evenhand.cli.given import checked, model, names_in
from evenhand.cli.idle import refuse_idle
from evenhand.cli.options import (
    About,
    AnyUri,
    BatchTokens,
    Benchmarks,
    By,
    DataDir,
    DryRun,
    Dtype,
    Json,
    Limit,
    Out,
    Seed,
    bias_components,
)

if TYPE_CHECKING:
    from evenhand.models import Asked


@checks_first
def measure(
    uri: AnyUri,
    *,
    benchmark: Benchmarks = None,
    attribute: About = None,
    by: By = None,
    seed: Seed = 0,
    limit: Limit = None,
    out: Out = None,
    batch_tokens: BatchTokens = None,
    dtype: Dtype = None,
    data_dir: DataDir = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> int:
    """Measure a model: every figure with its interval and its n.

    Without -b it takes genbiaseval and genhinteval.
    With --out the items are stored for report, compare and gate.
    With --dry-run --json it prints every request with its sample, for answers collected elsewhere.
    """
    from evenhand.studies import verbs
    from evenhand.studies.options import RunOptions

    options = RunOptions(seed=seed, limit=limit, out=out, batch_tokens=batch_tokens, dtype=dtype)
    if dry_run:
        refuse_idle(
            {"--out": out, "--by": by, "--dtype": dtype, "--batch-tokens": batch_tokens},
            "--dry-run",
            why="it opens no model and stores nothing",
            mend="Leave out one or the other.",
        )
        chosen = bias_components(uri, benchmark, attribute)
        ready()
        asked = _requests(chosen, seed, limit)
        if as_json:
            console.emit(payload.requests(asked))
        else:
            show.requests(asked)
        return 0
    checked(model)(uri)  # a dry run opens none, and takes any name
    slices = names_in(by or "")
    chosen = bias_components(uri, benchmark, attribute)
    ready()
    records = verbs.measure(uri, chosen, options, by=slices)
    if as_json:
        console.emit(payload.measurements(records))
        return 0
    for record in records:
        show.measurement(record)
    if out is not None:
        console.say(f"Stored in {out}: `evenhand report {out} --html report.html` writes a report.")
    else:
        console.say("These results are not stored: --out FOLDER stores them for report, compare and gate.")
    return 0


def _requests(benchmarks: Sequence[str], seed: int, limit: int | None) -> dict[str, list[Asked]]:
    """What `measure` would ask under these options, by benchmark; no model is opened."""
    from evenhand import registry
    from evenhand.studies import measure as studies

    made = [registry.create("benchmark", spec) for spec in benchmarks]
    return {one.name: studies.requests(one, seed=seed, limit=limit) for one in made}
