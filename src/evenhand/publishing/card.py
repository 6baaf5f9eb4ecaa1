"""The model card of a treated model: before and after, the verdict, its limits and its data.

The head is YAML in which every value is written as JSON, which YAML reads; ``model-index`` is its form of
results. Results on data sets of the hub are also given as ``.eval_results/NAME.yaml``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from evenhand import registry
from evenhand.decimals import number
from evenhand.provenance import line
from evenhand.records import Estimate, Measurement, Verification
from evenhand.reports import advice, leading

SIGN = b"---\n# A model card by evenhand\n"
#: Benchmarks whose data are a data set of the hub, and its name there.
HUB_DATA: Mapping[str, str] = {
    "crows_pairs": "nyu-mll/crows_pairs",
    "lambada": "EleutherAI/lambada_openai",
    "stereoset": "McGill-NLP/stereoset",
}
_HUB = re.compile(r"^hf:(?![./~])([\w.-]+(?:/[\w.-]+)?)(?:@|\+|$)")  # a repository, not a folder


def card(record: Verification, *, library: str = "evenhand") -> str:
    """The card as Markdown with its head; `library` is what loads the weights."""
    parts = [
        f"{SIGN.decode()}{_yaml(_head(record, library))}---",
        f"# {_plain(record.model.uri)}, treated with {_plain(record.treatment)}",
        f"**Verdict: {record.verdict}.** {_plain(leading.sentence(record))}",
        "## Before and after",
        _table(record),
        "A change is after less before, on the same items, with its paired 95 % interval.",
        "## Why this verdict",
        _list(record.reasons),
        "## Limits",
        _list(_limits(record)),
        "## Data",
        _list(_data(m) for m in record.before),
        "## How it was made",
        _list(_made(record)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def eval_results(record: Verification) -> dict[str, str]:
    """Files ``.eval_results/NAME.yaml``, by their path: one for each benchmark with data on the hub.

    It has an entry for each form in which the benchmark was measured. A limited run gives
    none, for its figures are not reportable.
    """
    found: dict[str, str] = {}
    for measurement in () if record.limited else record.after:
        name = registry.parse(measurement.benchmark).name
        data, main = HUB_DATA.get(name), _main(measurement)
        if data is None or main is None:
            continue
        metric, estimate = main
        notes = f"{metric}, {_interval(estimate)}, n = {estimate.n}; {measurement.benchmark}, by evenhand"
        entry = {"dataset": {"id": data, "task_id": name}, "value": estimate.value, "notes": notes}
        path = f".eval_results/{name}.yaml"
        found[path] = found.get(path, "") + f"- {json.dumps(entry, ensure_ascii=False)}\n"
    return found


def _main(measurement: Measurement) -> tuple[str, Estimate] | None:
    """The figure that stands for a benchmark, None where it is undefined."""
    name = measurement.primary or next(iter(measurement.metrics), None)
    estimate = None if name is None else measurement.metrics.get(name)
    return None if name is None or estimate is None or estimate.value is None else (name, estimate)


def _head(record: Verification, library: str) -> dict[str, Any]:
    base = _HUB.match(record.model.uri)
    head: dict[str, Any] = {"library_name": library}
    if base:
        head["base_model"] = base[1]
        head["base_model_relation"] = "finetune" if library == "transformers" else "adapter"
    results = [one for measurement in record.after for one in _results(measurement)]
    head["tags"] = ["evenhand", "bias-mitigation"]
    if results and not record.limited:
        head["model-index"] = [{"name": f"{record.model.uri} + {record.treatment}", "results": results}]
    return head


def _results(measurement: Measurement) -> Iterable[dict[str, Any]]:
    """The entries of ``model-index`` for one benchmark: every figure that is defined."""
    name, _, options = measurement.benchmark.partition(":")
    metrics = [
        {
            "type": metric,
            "name": metric,
            "value": estimate.value,
            "args": {"low": estimate.low, "high": estimate.high},
        }
        for metric, estimate in measurement.metrics.items()
        if estimate.value is not None
    ]
    if metrics:
        yield {
            "task": {"type": "text-generation"},
            "dataset": {
                "name": measurement.card.title,
                "type": HUB_DATA.get(name, name),
                **({"config": options} if options else {}),
            },
            "metrics": metrics,
        }


def _yaml(head: Mapping[str, Any]) -> str:
    return "".join(f"{key}: {json.dumps(value, ensure_ascii=False)}\n" for key, value in head.items())


def _table(record: Verification) -> str:
    rows = ["| benchmark | figure | before | after | change |", "|---|---|---|---|---|"]
    for effect in record.effects:
        cells = (
            effect.benchmark,
            effect.metric,
            number(effect.before.value),
            number(effect.after.value),
            f"{number(effect.change.value, signed=True)} ({_interval(effect.change)})",
        )
        rows.append("| " + " | ".join(_plain(cell) for cell in cells) + " |")
    for check in record.capability.checks:
        bounds = f"at most {number(check.loss.high)}, allowed {number(check.margin)}"
        loss = f"loss {number(check.loss.value)} ({bounds})"
        cells = (check.name, "capability", number(check.before.value), number(check.after.value), loss)
        rows.append("| " + " | ".join(_plain(cell) for cell in cells) + " |")
    return "\n".join(rows)


def _limits(record: Verification) -> list[str]:
    """What the verdict does not say, each in a sentence."""
    found = ["The figures are about these benchmarks and the groups that they name, and no others."]
    if record.limited:
        found.append("Only a part of the items was measured: no figure here is reportable.")
    if record.uncontrolled:
        found.append(f"There were no control models: {record.uncontrolled}")
    elif record.control is not None and record.control.reduced:
        found.append("The control models were too few, or lacked the treatment's sham, to carry a claim.")
    if record.capability.kept is None:
        found.append("What the treatment cost in capability could not be decided.")
    return [*found, *record.remarks, *record.notes, *advice.settling(record)]


def _data(measurement: Measurement) -> str:
    about, protocol = measurement.card, measurement.protocol
    source = f"{about.title}. {about.source}. Licence: {about.licence}"
    return f"{measurement.benchmark}: {source}. Data {protocol.data}."


def _made(record: Verification) -> list[str]:
    return [
        f"Base model {record.model.uri}, weights {record.model.digest[:16]}.",
        f"Treatment {record.treatment}, seed {record.seed}.",
        f"Written by {line(record.made_by)}.",
    ]


def _interval(estimate: Estimate) -> str:
    return f"{number(estimate.low)} to {number(estimate.high)}"


def _list(items: Iterable[str]) -> str:
    return "\n".join(f"- {_plain(item)}" for item in items)


def _plain(text: str) -> str:
    """Text that Markdown and HTML take as it is, in one line."""
    for sign in "\\`*_[]<>|#":
        text = text.replace(sign, f"\\{sign}")
    return " ".join(text.split())


def files(record: Verification, *, library: str) -> dict[str, bytes]:
    """Everything that a repository says of the model: the card and the results, by path."""
    texts = {"README.md": card(record, library=library), **eval_results(record)}
    return {path: text.encode("utf-8", "backslashreplace") for path, text in texts.items()}
