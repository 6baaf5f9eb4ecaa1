"""StereoSet's published GPT-2 figures from GPT-2's own published scores, through this project's metrics.

Source: moinnadeem/StereoSet, code/predictions (one score a sentence) and code/predictions.json (the results).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import pytest

from evenhand.benchmarks._stereoset_items import DATA
from evenhand.benchmarks.stereoset import StereoSet, compared
from evenhand.metrics.pairs import ICAT as icat
from evenhand.metrics.pairs import LMS as lms
from evenhand.metrics.pairs import SS as ss
from evenhand.opening import open_model
from evenhand.records import Sample, Score
from evenhand.studies.measure import take
from tests.support.data import data_file

SPLITS = ("intrasentence", "intersentence", "overall")
DOMAINS = ("gender", "profession", "race", "religion")
CELLS = [(split, domain) for split in SPLITS[:2] for domain in (*DOMAINS, "overall")] + [
    ("overall", "overall")
]


@pytest.fixture(scope="module")
def published() -> Mapping[str, Any]:
    results = json.loads(data_file("stereoset/predictions.json").read_text())["gpt2"]
    return {**results, "overall": {"overall": results["overall"]}}


Three = tuple[Sample, list[float]]


@pytest.fixture(scope="module")
def items() -> list[Three]:
    """Every item with the three published scores of its sentences."""
    import csv

    raw = json.loads(data_file("stereoset/predictions_gpt2_ModelNSP_GPT2LM.json").read_text())
    of_sentence = {row["id"]: row["score"] for rows in raw.values() for row in rows}
    with data_file(DATA).open(encoding="utf-8-sig", newline="") as file:
        of_text = {
            (f"stereoset/{r['cluster_id']}", r["sentence"]): r["sentence_id"] for r in csv.DictReader(file)
        }
    return [
        (sample, [of_sentence[of_text[sample.id, text]] for text in sample.fields["options"]])
        for sample in StereoSet(task="both").load()
    ]


@pytest.fixture(scope="module")
def scores(items: list[Three]) -> list[Score]:
    """What they say of each item."""
    return [
        Score(s.id, s.cluster, compared(*three) | {"term": s.fields["term"]}, s.slices) for s, three in items
    ]


@pytest.mark.parametrize(("split", "domain"), CELLS)
def test_published_figures_to_every_printed_digit(split, domain, published, scores) -> None:
    cell = published[split][domain]
    kept = [
        s
        for s in scores
        if split in ("overall", s.slices["task"]) and domain in ("overall", s.slices["domain"])
    ]
    # The reference counts the sentences of a domain, and the items where it sums up.
    assert cell["Count"] == len(kept) * (1 if domain == "overall" else 3)
    # They print 16 digits of a float64; the order of the additions may change the last ones.
    assert lms.value(kept) == pytest.approx(cell["LM Score"], rel=1e-14)
    assert ss.value(kept) == pytest.approx(cell["SS Score"], rel=1e-14)
    assert icat.value(kept) == pytest.approx(cell["ICAT Score"], rel=1e-14)


def test_no_figure_rests_on_a_tie(scores) -> None:
    assert len(scores) == 4229
    assert all(s.values["tie"] == 0 for s in scores)


def test_recorded_scores_give_the_published_figures(items, published, tmp_path) -> None:
    path = tmp_path / "scores.jsonl"
    lines = [
        {"sample": sample.id, "logprobs": [math.log(score) for score in three], "kind": "mean"}
        for sample, three in items
    ]
    path.write_text("\n".join(map(json.dumps, lines)))
    taken = take(open_model(f"recorded:{path}"), StereoSet(task="both", ties="anti"))
    cell = published["overall"]["overall"]
    found = [taken.metrics[name].value for name in ("lms", "ss", "icat")]
    assert found == pytest.approx([cell["LM Score"], cell["SS Score"], cell["ICAT Score"]], rel=1e-13)
    assert taken.protocol.normalisation == "token; a tie counts as anti-stereotype or unrelated"


@pytest.mark.parametrize(("ties", "ss", "lms"), [("anti", 0.0, 0.0), ("half", 50.0, 50.0)])
def test_a_model_that_likes_all_alike(ties, ss, lms, items, tmp_path) -> None:
    path = tmp_path / "scores.jsonl"
    lines = [
        {"sample": sample.id, "logprobs": [-1.0 - number / 1e4] * 3, "kind": "mean"}
        for number, (sample, _) in enumerate(items)
    ]
    path.write_text("\n".join(map(json.dumps, lines)))
    taken = take(open_model(f"recorded:{path}"), StereoSet(task="both", ties=ties))
    assert (taken.metrics["ss"].value, taken.metrics["lms"].value) == (ss, lms)
    assert taken.metrics["ties"].value == 100.0
