"""CrowS-Pairs on masked models: the benchmark against the published procedures, carried out by hand."""

from __future__ import annotations

import csv

import pytest

from evenhand.benchmarks.crows_pairs import DATA, crows_pairs
from evenhand.errors import BadModel
from evenhand.records import Estimate
from evenhand.studies.measure import take
from tests.scoring.reference_masked import official
from tests.support import families, tiny
from tests.support.data import data_file

ROWS = 12
COLUMNS = ("sent_more", "sent_less", "stereo_antistereo", "bias_type")


@pytest.fixture
def head(tmp_path) -> tuple[list[dict[str, str]], str]:
    """A few of the real pairs, spread over the file, in lower case: the tiny vocabulary has letters only."""
    with data_file(DATA).open(encoding="utf-8", newline="") as source:
        rows = list(csv.DictReader(source))
    step = len(rows) // ROWS
    chosen = sorted((row for row in rows[::step]), key=lambda row: len(row["sent_more"]))[:ROWS]
    path = tmp_path / "pairs.csv"
    with path.open("w", encoding="utf-8", newline="") as target:
        writer = csv.DictWriter(target, COLUMNS, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(chosen)
    return chosen, str(path)


def published(kind: str, row: dict[str, str], mode: str) -> tuple[float, float]:
    """Both scores as Nangia et al. (shared tokens, sum) or bias-bench (changed ones, mean) round them."""
    model = families.masked(kind)
    part = "shared" if mode == "nangia" else "changed"
    found = []
    for one, other in ((row["sent_more"], row["sent_less"]), (row["sent_less"], row["sent_more"])):
        total, n = official(model.module, model.tokenizer, one, other, part)
        found.append(round(total if mode == "nangia" else total / n, 3))
    return found[0], found[1]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["bert", "roberta"])
@pytest.mark.parametrize("mode", ["nangia", "bias_bench"])
def test_equals_the_published_procedure_pair_by_pair(kind, mode, head) -> None:
    rows, path = head
    taken = take(families.masked(kind), crows_pairs(mode=mode, file=path))
    preferred = []
    for row, score in zip(rows, taken.scores, strict=True):
        more, less = published(kind, row, mode)
        assert score.values["log_ratio"] == pytest.approx(more - less, abs=2e-3), (
            "both are rounded to 3 decimals"
        )
        preferred.append(0.5 if more == less else float(more > less))
    assert [s.values["preferred"] for s in taken.scores] == preferred
    figure = taken.metrics["stereotype_preference"]
    assert isinstance(figure, Estimate)
    assert figure.value == pytest.approx(100 * sum(preferred) / len(preferred))


def test_a_causal_model_is_refused_with_the_reason(head) -> None:
    with pytest.raises(BadModel, match=r"fits masked models.*use crows_pairs:mode=causal"):
        take(tiny.model(), crows_pairs(mode="nangia", file=head[1]))
