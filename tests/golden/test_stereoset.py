"""StereoSet's published GPT-2 figures from GPT-2's own published scores, through this project's metrics.

Source: moinnadeem/StereoSet, code/predictions (one score a sentence) and code/predictions.json (the results).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from evenhand.benchmarks.stereoset import DATA, compared, stereoset
from evenhand.metrics.icat import component as icat
from evenhand.metrics.lms import component as lms
from evenhand.metrics.ss import component as ss
from evenhand.records import Score
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


@pytest.fixture(scope="module")
def scores() -> list[Score]:
    """Every item with what the three published scores of its sentences say."""
    import csv

    raw = json.loads(data_file("stereoset/predictions_gpt2_ModelNSP_GPT2LM.json").read_text())
    of_sentence = {row["id"]: row["score"] for rows in raw.values() for row in rows}
    with data_file(DATA).open(encoding="utf-8-sig", newline="") as file:
        of_text = {
            (f"stereoset/{r['cluster_id']}", r["sentence"]): r["sentence_id"] for r in csv.DictReader(file)
        }
    found = []
    for sample in stereoset(task="both").load():
        three = (of_sentence[of_text[sample.id, text]] for text in sample.fields["options"])
        values = compared(*three) | {"term": sample.fields["term"]}
        found.append(Score(sample.id, sample.cluster, values, sample.slices))
    return found


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
