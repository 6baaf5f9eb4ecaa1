"""The rule and the controls of the first version (commit 0ba8dbf) on models that the present rule has judged.

Three steps, because two versions of evenhand do not live in one process:

    python -m perf.validity.former save --folder READINGS --models FOLDER    # the models, as files
    git worktree add ../former 0ba8dbf
    PYTHONPATH=../former/src:. python -m perf.validity.former judge --models FOLDER
    python -m perf.validity.former table --folder READINGS [--models FOLDER]

What was judged is kept in ``readings/0ba8dbf``.

The first version made 16 control models for a verdict by ``--control reduced`` (placebo tuning and noise at
four doses and two seeds each in the parameters that were changed), which is what is run here; its default was
120, and its rule does not ask which of the two was made.
"""

from __future__ import annotations

import argparse
import importlib
import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

BIAS = ("genbiaseval", "genhinteval")
CAPABILITY = ("facts", "perplexity:text=lab")
KEPT = Path(__file__).parent / "readings" / "0ba8dbf"
JUDGED, ABOUT, WEIGHTS = "former.jsonl", "about.json", "weights.safetensors"
DAMAGE, NOTHING = "damage", "nothing done"  # what a kind of reading is; else the name of the treatment


def chosen(lines: Sequence[Mapping[str, Any]], runs: int) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Of each kind the first `runs` models that were judged, each with a name and its reading.

    Where a model was judged with its own family among the controls and without it, the first.
    """
    models: dict[str, dict[tuple[Any, ...], Mapping[str, Any]]] = {}
    for line in lines:
        if line.get("counted"):
            same = models.setdefault(line["kind"], {})
            key = (line["base"], line["seed"], line["dose"])
            if key not in same or line.get("inside"):
                same[key] = line
    for kind, same in models.items():
        yield from ((f"{kind}-{number}", line) for number, line in enumerate(list(same.values())[:runs]))


def save(folders: Sequence[Path], models: Path, runs: int) -> None:
    """Make the chosen models again, and write each base and what differs from it below `models`."""
    import torch
    from safetensors.torch import save_file

    from evenhand import registry
    from evenhand.models.loading import quiet
    from evenhand.opening import opened
    from evenhand.studies import defaults
    from evenhand.training.parameters import require_open

    from . import tables
    from .runs import treatment_of

    models.mkdir(parents=True, exist_ok=True)
    for name, line in chosen(tables.readings(*folders), runs):
        folder = models / name
        if (folder / ABOUT).is_file():
            continue
        with quiet(), opened(line["base"]) as given:
            model = require_open(given, frozenset())
            bias = registry.create("benchmark", defaults.treated_bias(line["base"])[0])
            treatment = treatment_of(line, model, [*bias.examples(), *bias.anchors()])
            module: Any = model.module
            before = {name: value.detach().clone() for name, value in module.named_parameters()}
            with treatment.applied(model) as changed:
                weights = {
                    name: value.detach().clone().contiguous()
                    for name, value in changed.module.named_parameters()  # type: ignore[attr-defined]
                    if not torch.equal(value, before[name])
                }
            folder.mkdir(exist_ok=True)
            module.save_pretrained(folder / "base")
            model.tokenizer.save_pretrained(folder / "base")
        first = next(iter(before))  # a treatment names what it may have changed, also where nothing differs
        save_file(weights or {first: before[first].contiguous()}, folder / WEIGHTS)
        (folder / ABOUT).write_text(json.dumps(line), encoding="utf-8")


@dataclass(frozen=True)
class Given:
    """A mitigation of the first version whose treatment is in hand."""

    weights: str
    needs: ClassVar[frozenset[Any]] = frozenset()
    purpose: ClassVar[str] = "mitigation"
    wants_sites: ClassVar[bool] = False

    def fit(self, model: Any, examples: Any, *, sites: Any, seed: int) -> Any:
        """The stored weights."""
        from safetensors.torch import load_file

        treatments = importlib.import_module("evenhand.treatments")
        about = treatments.About("given", model.spec.digest, seed)
        return treatments.WeightTreatment(about, load_file(self.weights))


def judge(models: Path) -> None:
    """Judge every saved model by the version of evenhand that is on the path; goes on where it stopped."""
    run: Any = importlib.import_module("evenhand.studies.run")
    registry: Any = importlib.import_module("evenhand.registry")
    done = {line["folder"] for line in _lines(models)}
    with (models / JUDGED).open("a", encoding="utf-8") as out:
        for about in sorted(models.glob(f"*/{ABOUT}")):
            folder = about.parent
            if folder.name in done:
                continue
            reading = json.loads(about.read_text(encoding="utf-8"))
            start = time.process_time()
            bias, capability = (
                [registry.create("benchmark", spec) for spec in specs] for specs in (BIAS, CAPABILITY)
            )
            model = run.open_model(f"hf:{folder / 'base'}")
            method = Given(str(folder / WEIGHTS))
            options = run.VerifyOptions(control="reduced", seed=reading["seed"])
            examples = run.material(bias, (run.Example,), "given")
            with tempfile.TemporaryDirectory() as place:
                study = run._Study(model, method, bias, capability, options, Path(place))
                record = study.verification("given", examples)
            families = record.control.families if record.control else ()
            line = {
                "folder": folder.name,
                "key": reading["key"],
                "verdict": record.verdict.value,
                "models": sum(len(family.points) for family in families),
                "seconds": round(time.process_time() - start, 1),
            }
            out.write(json.dumps(line) + "\n")
            out.flush()


def table(models: Path, lines: Sequence[Mapping[str, Any]]) -> str:
    """A markdown table: claims, control models and CPU seconds of both rules on the same models.

    `lines` are the readings of the present rule.
    """
    from .runs import EXACT, WITHOUT_THEY
    from .runs import NOTHING as IDLE
    from .tables import CLAIM, PLAIN

    exact = {name for name, _ in EXACT}
    by_key = {line["key"]: line for line in lines}
    pairs: dict[str, list[tuple[Mapping[str, Any], Mapping[str, Any]]]] = {}
    for line in _lines(models):
        now = by_key[line["key"]]
        kind = now["kind"]
        what = NOTHING if kind in IDLE else kind if kind in exact or "inside" not in now else DAMAGE
        pairs.setdefault(what, []).append((line, now))
    rows = [
        "| models | judged | claimed by the first version | claimed now | "
        "its control models | now | its CPU seconds | now |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for what, both in pairs.items():
        claim = PLAIN if what == WITHOUT_THEY else CLAIM
        claims = [sum(one[side]["verdict"] in claim for one in both) for side in (0, 1)]
        made = [_median([one[0]["models"] for one in both]), _median([_made(one[1]) for one in both])]
        spent = [_median([one[side].get("seconds") for one in both]) for side in (0, 1)]
        cells = (what, len(both), *claims, *made, *spent)
        rows.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(rows)


def _made(line: Mapping[str, Any]) -> int | None:
    return sum(f["models"] for f in line["control"]["families"]) if line.get("control") else None


def _median(values: Sequence[float | None]) -> str:
    import statistics

    known = [value for value in values if value is not None]
    return f"{statistics.median(known):.3g}" if known else ""


def _lines(models: Path) -> list[dict[str, Any]]:
    path = models / JUDGED
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.is_file() else []


def main() -> None:
    """One of the three steps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=("save", "judge", "table"))
    parser.add_argument("--folder", type=Path, nargs="+", default=[], help="of the readings")
    parser.add_argument("--models", type=Path, default=KEPT, help="where the models lie, or what was judged")
    parser.add_argument("--runs", type=int, default=2, help="models of each kind")
    given = parser.parse_args()
    if given.what == "save":
        save(given.folder, given.models, given.runs)
    elif given.what == "judge":
        judge(given.models)
    else:
        from . import tables

        print(table(given.models, tables.readings(*given.folder)))


if __name__ == "__main__":
    main()
