"""The LM evaluation harness's results format: names, standard errors, and what it cannot say."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from evenhand import registry, stats
from evenhand.errors import BadData
from evenhand.records import Estimate
from evenhand.reports.lm_eval import results, standard_error, write
from evenhand.studies.store import save_measurements
from tests.support import records_factory as make


@pytest.fixture
def measured():
    return make.verification().before[0]


def test_every_figure_has_its_name_and_its_error(measured) -> None:
    data = results([measured])
    task = data["results"]["genbiaseval"]
    assert task["alias"] == "genbiaseval"
    assert task["afgb,none"] == measured.metrics["afgb"].value
    assert {key.partition(",")[2] for key in task if "," in key} == {"none"}
    assert set(task) == {"alias"} | {
        f"{name}{kind},none" for name in measured.metrics for kind in ("", "_stderr")
    }
    assert data["versions"] == {"genbiaseval": measured.card.version}
    assert data["n-samples"] == {"genbiaseval": {"original": measured.n, "effective": measured.n}}


def test_the_standard_error_is_the_bootstraps(measured) -> None:
    found = standard_error(measured, "afgb", measured.metrics["afgb"])
    values = stats.replicates(registry.get("metric", "afgb"), measured.scores, seed=measured.protocol.seed)
    assert found == pytest.approx(np.std(values, ddof=1))
    # Of nine clusters, the standard error of a mean is near their spread over the root of nine.
    by_cluster: dict[str, list[float]] = {}
    for score in measured.scores:
        gap = abs(score.values["p.male"] - score.values["p.female"])
        by_cluster.setdefault(score.cluster, []).append(gap)
    means = [float(np.mean(gaps)) for gaps in by_cluster.values()]
    assert found == pytest.approx(np.std(means) / np.sqrt(len(means)), rel=0.25)


def test_what_is_undefined_says_so(measured) -> None:
    empty = dataclasses.replace(
        measured, metrics={"afgb": Estimate(None, None, None, 0), "mine": Estimate(1, 0, 2, 3)}
    )
    task = results([empty])["results"]["genbiaseval"]
    assert (task["afgb,none"], task["afgb_stderr,none"]) == ("N/A", "N/A")
    assert (task["mine,none"], task["mine_stderr,none"]) == (1, "N/A")  # no such metric is installed


def test_which_way_is_better(measured) -> None:
    data = results(
        [
            dataclasses.replace(
                measured,
                metrics=dict.fromkeys(("afgb", "accuracy", "afgb_signed", "mass"), measured.metrics["afgb"]),
            )
        ]
    )
    assert data["higher_is_better"]["genbiaseval"] == {
        "afgb": False, "accuracy": True, "afgb_signed": None, "mass": None,
    }  # fmt: skip


def test_the_rest_stands_under_a_key_of_its_own(measured) -> None:
    own = results([measured])["evenhand"]["tasks"]["genbiaseval"]
    assert own["protocol"]["data"] == measured.protocol.data
    assert own["metrics"]["afgb"]["low"] == measured.metrics["afgb"].low
    assert set(own["slices"]) == set(measured.slices)


def test_a_limited_run_does_not_claim_all_items() -> None:
    data = results([make.genbiaseval(limited=True)])
    assert data["n-samples"]["genbiaseval"]["original"] is None


def test_a_stored_run_is_written_the_same_every_time(tmp_path, measured) -> None:
    save_measurements(tmp_path / "run", [measured])
    one, two = (write(tmp_path / "run", tmp_path / name).read_bytes() for name in ("a.json", "b.json"))
    assert one == two
    assert json.loads(one) == json.loads(json.dumps(results([measured])))


def test_nothing_to_export() -> None:
    with pytest.raises(BadData, match="no measurements"):
        results([])


def test_the_verb_writes_it(tmp_path, measured, capsys) -> None:
    from evenhand.cli import main

    save_measurements(tmp_path / "run", [measured])
    assert main(["report", str(tmp_path / "run"), "--lm-eval", str(tmp_path / "out.json"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["lm_eval"] == str(tmp_path / "out.json")
    assert "genbiaseval" in json.loads((tmp_path / "out.json").read_text())["results"]
