"""The options that several verbs share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from evenhand.cli import given
from evenhand.cli.given import checked, each


def names(*kinds: str) -> Callable[[str], list[str]]:
    """The shell completion of a list of components of these kinds: it completes the last name."""

    def complete(incomplete: str) -> list[str]:
        from evenhand import registry

        before, comma, last = incomplete.rpartition(",")
        known = [name for kind in kinds for name in registry.names(kind)]
        return [f"{before}{comma}{name}" for name in known if name.startswith(last)]

    return complete


Uri = Annotated[
    str,
    typer.Argument(
        metavar="URI",
        callback=checked(given.model),
        help="The model: lab:causal, hf:./folder, openai:URL#model, ...",
    ),
]
AnyUri = Annotated[
    str, typer.Argument(metavar="URI", help="The model: lab:causal, hf:./folder, openai:URL#model, ...")
]
UriOrRun = Annotated[
    str,
    typer.Argument(
        metavar="URI|RUN",
        callback=checked(given.model_or_run),
        help="The model: lab:causal, hf:./folder, ... Or the folder of a finished verify, to judge it again.",
    ),
]
Run = Annotated[Path, typer.Argument(metavar="RUN", help="The folder that a verb wrote with --out.")]
Track = Annotated[
    str | None,
    typer.Option(
        "--track",
        metavar="TRACKER",
        callback=checked(given.tracker),
        help="Log the figures with mlflow, trackio or wandb (docs/ci.md).",
    ),
]
Project = Annotated[
    str | None,
    typer.Option("--project", metavar="NAME", help="The tracker's project; by default evenhand."),
]
Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on stdout, everything else on stderr.")
]
Seed = Annotated[int, typer.Option("--seed", min=0, max=2**32 - 1, help="Decides every random choice.")]
Seeds = Annotated[
    int,
    typer.Option(
        "--seeds",
        min=1,
        metavar="N",
        help="Treated models to fit, with --seed and the seeds after it: judges the method by all of them.",
    ),
]
Limit = Annotated[
    int | None,
    typer.Option("--limit", min=1, help="Largest number of items: a trial, marked as not reportable."),
]


def folder(text: str | Path) -> Path:
    """The folder of an option; an empty text would be the current folder.

    Raises:
        BadOption: it is empty.
    """
    from evenhand.studies.options import folder

    return folder(text)


Out = Annotated[
    Path | None,
    typer.Option(
        "--out", parser=folder, metavar="PATH", help="Folder for the results; the same command resumes there."
    ),
]
BatchTokens = Annotated[
    int | None, typer.Option("--batch-tokens", min=1, help="Tokens in a batch; fewer need less memory.")
]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Open no model; count the requests (with --json: print every request)."),
]
Dtype = Annotated[
    str | None,
    typer.Option(
        "--dtype",
        callback=checked(given.dtype),
        help="float32, bfloat16 or float16; by default the checkpoint's own, or float32 where that is slow.",
    ),
]
Benchmarks = Annotated[
    list[str] | None,
    typer.Option(
        "--benchmark",
        "-b",
        metavar="NAME[:KEY=VALUE]",
        callback=checked(each(given.components("benchmark"))),
        help="Repeat, or use commas.",
        autocompletion=names("benchmark"),
    ),
]
About = Annotated[
    str | None,
    typer.Option(
        "--attribute",
        metavar="NAME|FILE.toml",
        callback=checked(given.attribute),
        help="Instead of -b: the default benchmarks, as far as they fit it, about this attribute.",
        show_default="gender",
    ),
]
By = Annotated[
    str | None,
    typer.Option(
        "--by",
        metavar="SLICE,SLICE",
        callback=checked(given.slices),
        help="Cross these slices, such as task,domain (stereoset).",
    ),
]
Capability = Annotated[
    list[str] | None,
    typer.Option(
        "--capability",
        metavar="NAME[:KEY=VALUE]",
        callback=checked(each(given.components("benchmark"))),
        help="Capability benchmarks; by default those that suit the model.",
        autocompletion=names("benchmark"),
    ),
]
WithLocator = Annotated[
    str,
    typer.Option(
        "--with",
        metavar="NAME[:KEY=VALUE]",
        callback=checked(given.components("locator")),
        help="The component to use.",
        autocompletion=names("locator"),
    ),
]
WithMethod = Annotated[
    str,
    typer.Option(
        "--with",
        metavar="NAME[:KEY=VALUE]",
        callback=checked(given.method),
        help="The component to use.",
        autocompletion=names("mitigation", "control"),
    ),
]
Withs = Annotated[
    list[str] | None,
    typer.Option(
        "--with",
        metavar="NAME[:KEY=VALUE]",
        callback=checked(each(given.method)),
        help="The mitigation, or a control, to fit. Repeat it to fit each to what the former ones treated.",
        show_default="lftf",
        autocompletion=names("mitigation", "control"),
    ),
]
Treated = Annotated[
    str | None,
    typer.Option(
        "--treated",
        metavar="MODEL",
        callback=checked(given.model_or_run),
        help="Instead of --with: a model that was treated already (hf:./folder, any URI), or the folder of a "
        "saved treatment or an adapter.",
    ),
]
LocatorChoice = Annotated[
    str | None,
    typer.Option(
        "--locator",
        metavar="NAME[:KEY=VALUE]",
        callback=checked(given.components("locator")),
        help="Which blocks to treat.",
        show_default="bmi",
        autocompletion=names("locator"),
    ),
]


def _use_data(ctx: typer.Context, folder: Path | None) -> Path | None:
    """Look for data below `folder` first until the command ends."""
    if folder is not None:
        from evenhand.sources import folder_in_use

        ctx.with_resource(folder_in_use(folder))
    return folder


DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        callback=_use_data,
        help="Folder with benchmark data (else EVENHAND_DATA, else the cache).",
    ),
]


Margin = Annotated[
    float,
    typer.Option(
        "--margin", callback=checked(given.share), help="The tolerated loss of accuracy, a share from 0 to 1."
    ),
]

Primary = Annotated[
    str | None,
    typer.Option(
        "--primary",
        metavar="METRIC",
        help="The metric of the verdict: any metric with an ideal that a bias benchmark reports (dpd, ss); "
        "by default the benchmark's own.",
        autocompletion=names("metric"),
    ),
]


Budget = Annotated[
    float | None,
    typer.Option(
        "--budget",
        metavar="MINUTES",
        callback=checked(given.minutes),
        help="Begin no control model after so many minutes.",
    ),
]


On = Annotated[
    str | None,
    typer.Option(
        "--on",
        metavar="PLACE",
        callback=checked(given.place),
        help="Work in other processes at the same time: ray, ray://HOST:PORT or ray://auto, and what each "
        "takes: ray?cpus=2&memory=20GB (docs/scale.md).",
    ),
]


def method(texts: Sequence[str] | None) -> str | None:
    """The method that ``--with`` names; of several, one text for all of them in order. None for none."""
    from evenhand.training.stacking import joined

    return joined(texts) if texts else None


def bias_components(uri: str, texts: Sequence[str] | None, about: str | None) -> tuple[str, ...]:
    """The component specs in `texts`, else the bias benchmarks that `measure` takes of the model `uri`.

    Of the attribute `about` where that is given.

    Raises:
        UsageError: a text is not a list of components, or both are given.
        EvenhandError: as `evenhand.studies.defaults.bias`.
    """
    from evenhand.studies import defaults

    _check_about(texts, about)
    return components(texts) or defaults.bias(uri, about)


def treated_components(uri: str, texts: Sequence[str] | None, about: str | None) -> tuple[str, ...]:
    """The component specs in `texts`, else the bias benchmarks on which a treatment of `uri` is judged.

    Of the attribute `about` where that is given. Raises as `bias_components`.
    """
    from evenhand.studies import defaults

    _check_about(texts, about)
    return components(texts) or defaults.treated_bias(uri, about)


def _check_about(texts: Sequence[str] | None, about: str | None) -> None:
    from evenhand.cli.idle import refuse_idle

    if texts:
        refuse_idle(
            {"--attribute": about},
            "--benchmark",
            why="a benchmark names its own",
            mend=f"Leave out one of them, or write -b genbiaseval:attribute={about}.",
        )


def components(texts: Sequence[str] | None) -> tuple[str, ...]:
    """The component specs in repeated and comma-separated options, in order and each once.

    Raises:
        UsageError: a text is not a list of components.
    """
    from evenhand.registry import spec_texts

    return spec_texts(texts) if texts else ()
