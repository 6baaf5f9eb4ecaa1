"""``evenhand locate``: which blocks carry the bias?"""

from __future__ import annotations

import json

from evenhand.cli import console, payload, show
from evenhand.cli.configured import checks_first, ready
from evenhand.cli.options import (
    About,
    BatchTokens,
    Benchmarks,
    Dtype,
    Json,
    Out,
    Seed,
    Uri,
    WithLocator,
    treated_components,
)
from evenhand.files import write_atomically
from evenhand.outputs import UNSEALED, check_output_folder, check_unchanged, sealed
from evenhand.records import to_json
from evenhand.schema import SCHEMA

SIGN = b'"location": {'  # in every location.json


@checks_first
def locate(
    uri: Uri,
    *,
    with_: WithLocator = "bmi",
    benchmark: Benchmarks = None,
    attribute: About = None,
    seed: Seed = 0,
    out: Out = None,
    batch_tokens: BatchTokens = None,
    dtype: Dtype = None,
    as_json: Json = False,
) -> int:
    """Rank a model's blocks with a locator: bmi, gradient, ablation, random, ...

    It uses the train part of the first benchmark that has one. With --out it writes location.json.

    The output states if a locator does not depend on the attribute, such as bmi.
    """
    from evenhand.studies import verbs
    from evenhand.studies.options import VerifyOptions

    options = VerifyOptions(
        seed=seed,
        batch_tokens=batch_tokens,
        dtype=dtype,
        benchmarks=treated_components(uri, benchmark, attribute),
    )
    ready()
    if out is not None:
        check_output_folder(out)
        check_unchanged(out / "location.json", SIGN)
    record = verbs.locate(uri, with_, options)
    data = {"uri": uri, "location": payload.attribution(record), "made_by": to_json(record.made_by)}
    if out is not None:
        text = json.dumps({"schema": SCHEMA, **data, "seal": UNSEALED}, indent=1, allow_nan=False)
        write_atomically(out / "location.json", sealed(f"{text}\n".encode()))
    if as_json:
        console.emit(data)
        return 0
    show.location(record)
    return 0
