"""``evenhand mitigate``: fit a treatment and save it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from evenhand.cli import console, show
from evenhand.cli.options import (
    BatchTokens,
    Benchmarks,
    Dtype,
    Json,
    Locator,
    Seed,
    Uri,
    With,
    folder,
    treated_components,
)
from evenhand.records import to_json

Folder = Annotated[
    Path, typer.Option("--out", parser=folder, metavar="PATH", help="Folder for the treatment.")
]


def mitigate(
    uri: Uri,
    *,
    with_: With = "lftf",
    benchmark: Benchmarks = None,
    locator: Locator = "bmi",
    out: Folder = Path("treated"),
    seed: Seed = 0,
    batch_tokens: BatchTokens = None,
    dtype: Dtype = None,
    as_json: Json = False,
) -> int:
    """Fit a treatment to the train part of a benchmark and save it.

    It does not show whether the treatment helped: use `verify` for that.

    The saved folder is used as URI+FOLDER, such as hf:org/name+treated.
    """
    from evenhand.studies import verbs
    from evenhand.studies.options import VerifyOptions

    options = VerifyOptions(
        seed=seed,
        batch_tokens=batch_tokens,
        dtype=dtype,
        benchmarks=treated_components(uri, benchmark),
        locator=locator,
    )
    summary = verbs.mitigate(uri, with_, out, options)
    if as_json:
        console.emit({"uri": uri, "mitigation": with_, **to_json(summary)})
        return 0
    show.treatment(summary)
    console.say(f"The treatment {with_} of {uri} is in {out}.")
    console.say(f"Measure it: evenhand measure {uri}+{out}")
    console.say(f"Judge it:   evenhand verify {uri} --with {with_}")
    return 0
