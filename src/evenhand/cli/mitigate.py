"""``evenhand mitigate``: fit a treatment and save it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evenhand.cli import console, show
from evenhand.cli.configured import checks_first, ready, typed
from evenhand.cli.idle import refuse_idle
from evenhand.cli.options import (
    About,
    BatchTokens,
    Benchmarks,
    Dtype,
    Json,
    LocatorChoice,
    Seed,
    Uri,
    Withs,
    folder,
    method,
    treated_components,
)
from evenhand.records import to_json

if TYPE_CHECKING:
    from evenhand.studies.options import RunOptions

DEFAULT = Path("treated")
Folder = Annotated[
    Path | None,
    typer.Option(
        "--out", parser=folder, metavar="PATH", help="Folder for the treatment.", show_default="treated"
    ),
]

Merge = Annotated[
    Path | None,
    typer.Option(
        "--merge",
        parser=folder,
        metavar="PATH",
        help="Also write the treated model there as a plain one, for transformers. Of URI+FOLDER without "
        "--with, write that model and fit nothing.",
    ),
]


@checks_first
def mitigate(
    uri: Uri,
    *,
    with_: Withs = None,
    benchmark: Benchmarks = None,
    attribute: About = None,
    locator: LocatorChoice = None,
    out: Folder = None,
    merge: Merge = None,
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
    from evenhand.studies.methods import check_locator
    from evenhand.studies.options import LOCATOR, METHOD, RunOptions, VerifyOptions

    said = method(with_)
    if merge is not None and said is None and "+" in uri:
        refuse_idle(
            {"--benchmark": benchmark, "--locator": locator, "--out": out, "--seed": seed or None},
            f"--merge of {uri}",
            why="without --with nothing is fitted, and that model is written as it is",
            mend="Leave them out, or name a method to fit: --with lftf.",
        )
        ready()
        return _merged(uri, merge, RunOptions(batch_tokens=batch_tokens, dtype=dtype), as_json=as_json)
    said, out = said or METHOD, out or DEFAULT
    check_locator(said, typed("--locator", locator))
    options = VerifyOptions(
        seed=seed,
        batch_tokens=batch_tokens,
        dtype=dtype,
        benchmarks=treated_components(uri, benchmark, attribute),
        locator=locator or LOCATOR,
    )
    ready()
    merged: dict[str, Any] = {} if merge is None else {"merged": merge}
    summary = verbs.mitigate(uri, said, out, options, **merged)
    more = {name: str(path) for name, path in merged.items()}
    if as_json:
        console.emit({"uri": uri, "mitigation": said, **to_json(summary), **more})
        return 0
    show.treatment(summary)
    console.say(f"The treatment {said} of {uri} is in {out}.")
    console.say(f"Measure it: evenhand measure {uri}+{out}")
    chosen = [word for one in with_ or [said] for word in ("--with", one)]
    console.say(f"Judge it:   {shlex.join(['evenhand', 'verify', uri, *chosen])}")
    if merge is not None:
        console.say(f"The treated model itself, for transformers: {merge}")
    return 0


def _merged(uri: str, merge: Path, options: RunOptions, *, as_json: bool) -> int:
    """Write the model with what its name puts on it, and nothing else."""
    from evenhand.studies import verbs

    digest = verbs.merge(uri, merge, options)
    if as_json:
        console.emit({"uri": uri, "digest": digest, "merged": str(merge)})
        return 0
    console.say(f"{uri} is in {merge} as a plain model, for transformers.")
    console.say(f"Measure it: evenhand measure hf:{merge if merge.is_absolute() else f'./{merge}'}")
    return 0
