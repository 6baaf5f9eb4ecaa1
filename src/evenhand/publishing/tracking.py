"""A stored run's figures in an experiment tracker: MLflow, trackio or Weights & Biases.

Nothing is sent unless a tracker is named, and where it goes is the tracker's own affair (its server, its
folder, its account), set by its own variables: ``MLFLOW_TRACKING_URI``, ``TRACKIO_DIR``, ``WANDB_MODE``. A
figure goes as itself and its interval, ``before/genbiaseval.afgb_normalised`` with ``.low``, ``.high`` and
``.n``; one that is undefined is left out, for trackers know no None. No item, no text and no name of a
subject goes.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from evenhand.errors import BadOption, EnvironmentProblem

if TYPE_CHECKING:
    from evenhand.records import Measurement
    from evenhand.studies.store import StoredRun

PROJECT = "evenhand"
_UNUSUAL = re.compile(r"[^\w./ :-]")  # what MLflow refuses in names; the others take what is left


@dataclass(frozen=True)
class Tracked:
    """What goes to a tracker.

    Attributes:
        name: the run's name, that of its folder.
        about: what was measured and how, as text: parameters, not figures.
        figures: numbers by name.
    """

    name: str
    about: Mapping[str, str]
    figures: Mapping[str, float]


def track(run: Path | str, tracker: str, project: str = PROJECT) -> Tracked:
    """Log the figures of the stored run in folder `run` with the tracker of that name; gives what was sent.

    Raises:
        BadOption: there is no such tracker.
        EnvironmentProblem: its package is not installed, or it failed.
        BadData: the folder holds no run.
    """
    from evenhand.studies import runs

    check(tracker)
    sent = tracked(runs.opened(run), Path(run))
    try:
        with redirect_stdout(sys.stderr):  # standard output is for JSON, and they talk
            TRACKERS[tracker](sent, project)
    except ImportError as error:
        raise EnvironmentProblem(
            f"{tracker} cannot be loaded: {error}.", mend=f"Install it with: pip install {tracker}"
        ) from error
    except Exception as error:  # their errors have no class in common
        raise EnvironmentProblem(
            f"{tracker} did not take the run: {type(error).__name__}: {error}",
            mend="The run itself is stored; try again when the tracker works.",
        ) from error
    return sent


def check(tracker: str) -> None:
    """Refuse a name that no tracker has.

    Raises:
        BadOption: there is no such tracker.
    """
    if tracker not in TRACKERS:
        raise BadOption(f"There is no tracker {tracker!r}.", mend=f"Take one of {', '.join(TRACKERS)}.")


def tracked(stored: StoredRun, folder: Path) -> Tracked:
    """What goes to a tracker of a run that is stored in `folder`."""
    whole = [("before/", stored.before), ("after/", stored.measurements)]
    parts = whole if stored.before else [("", stored.measurements)]
    figures = dict(one for prefix, measured in parts for one in _figures(prefix, measured))
    first = (stored.before or stored.measurements)[0]
    about = {
        "model": first.model.uri,
        "model digest": first.model.digest,
        "treatment": stored.measurements[0].treatment,
        "seed": str(first.protocol.seed),
        "limited": str(stored.limited),
        "verdict": stored.verdict,
    }
    kept = {name: str(value) for name, value in about.items() if value is not None}
    return Tracked(folder.resolve().name, kept, figures)


def _figures(prefix: str, measured: Sequence[Measurement]) -> Iterator[tuple[str, float]]:
    for one in measured:
        for metric, estimate in one.metrics.items():
            name = _UNUSUAL.sub("-", f"{prefix}{one.benchmark}.{metric}")
            found = {"": estimate.value, ".low": estimate.low, ".high": estimate.high, ".n": estimate.n}
            yield from ((name + end, float(number)) for end, number in found.items() if number is not None)


def _mlflow(sent: Tracked, project: str) -> None:
    import mlflow

    mlflow.set_experiment(project)
    with mlflow.start_run(run_name=sent.name):
        mlflow.log_params(dict(sent.about))
        mlflow.log_metrics(dict(sent.figures))


def _trackio(sent: Tracked, project: str) -> None:
    import trackio

    trackio.init(project=project, name=sent.name, config=dict(sent.about))
    trackio.log(dict(sent.figures))
    trackio.finish()


def _wandb(sent: Tracked, project: str) -> None:
    import wandb

    run = wandb.init(project=project, name=sent.name, config=dict(sent.about))
    run.log(dict(sent.figures))
    run.finish()


TRACKERS: Mapping[str, Callable[[Tracked, str], None]] = {
    "mlflow": _mlflow,
    "trackio": _trackio,
    "wandb": _wandb,
}
