"""The LM evaluation harness's results format: names, standard errors, and what it cannot say."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import re
from pathlib import Path

import numpy as np
import pytest

from evenhand import registry, stats
from evenhand.errors import BadData
from evenhand.records import Estimate, Score
from evenhand.reports.lm_eval import results, standard_error, write
from evenhand.studies.store import save_measurements
from tests.support import records_factory as make


@pytest.fixture
def measured():
    return make.verification().before[0]


def test_every_figure_has_its_name_and_its_error(measured) -> None:
    data = results([measured])
    task = data["results"]["evenhand_genbiaseval"]
    assert task["alias"] == "evenhand_genbiaseval"
    assert task["afgb,none"] == measured.metrics["afgb"].value
    assert {key.partition(",")[2] for key in task if "," in key} == {"none"}
    assert set(task) == {"name", "alias", "sample_len"} | {
        f"{name}{kind},none" for name in measured.metrics for kind in ("", "_stderr")
    }
    assert data["versions"] == {"evenhand_genbiaseval": measured.card.version}
    assert data["n-samples"] == {"evenhand_genbiaseval": {"original": measured.n, "effective": measured.n}}


def test_the_standard_error_is_the_intervals(measured) -> None:
    """Of nine clusters of equal size: the spread of their means over the root of nine, with 8 in the divisor.

    An interval by bootstrap-t is made of it, so that its ends lie some such errors from the value.
    """
    estimate = measured.metrics["afgb"]
    found = standard_error(measured, "afgb", estimate)
    by_cluster: dict[str, list[float]] = {}
    for score in measured.scores:
        gap = abs(score.values["p.male"] - score.values["p.female"])
        by_cluster.setdefault(score.cluster, []).append(gap)
    assert len({len(gaps) for gaps in by_cluster.values()}) == 1
    means = [float(np.mean(gaps)) for gaps in by_cluster.values()]
    assert found == pytest.approx(np.std(means, ddof=1) / np.sqrt(len(means)))


def test_a_scale_scales_the_error(measured) -> None:
    """A hundredth of a figure has a hundredth of its error; of a logarithm it is that over the value."""
    estimate = measured.metrics["afgb"]
    plain = standard_error(measured, "afgb", estimate)
    assert plain is not None
    assert standard_error(measured, "afgb", estimate, lambda x: x / 100) == pytest.approx(plain / 100)
    assert standard_error(measured, "afgb", estimate, math.log2) == pytest.approx(
        plain / (estimate.value * math.log(2)), rel=1e-6
    )


def test_a_figure_that_is_no_mean_has_the_spread_of_resamples(measured) -> None:
    signed = dataclasses.replace(registry.get("metric", "afgb"), kind=None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("evenhand.reports.lm_eval.installed_metric", lambda name: signed)
        found = standard_error(measured, "afgb", measured.metrics["afgb"])
    values = stats.replicates(signed, measured.scores, seed=measured.protocol.seed)
    assert found == pytest.approx(np.std(values, ddof=1))


def test_what_is_undefined_says_so(measured) -> None:
    empty = dataclasses.replace(
        measured, metrics={"afgb": Estimate(None, None, None, 0), "mine": Estimate(1, 0, 2, 3)}
    )
    task = results([empty])["results"]["evenhand_genbiaseval"]
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
    assert data["higher_is_better"]["evenhand_genbiaseval"] == {
        "afgb": False, "accuracy": True, "afgb_signed": None, "mass": None,
    }  # fmt: skip


def test_the_rest_stands_under_a_key_of_its_own(measured) -> None:
    own = results([measured])["evenhand"]["tasks"]["evenhand_genbiaseval"]
    assert own["benchmark"] == "genbiaseval"
    assert own["protocol"]["data"] == measured.protocol.data
    assert own["metrics"]["afgb"]["low"] == measured.metrics["afgb"].low
    assert set(own["slices"]) == set(measured.slices)


def test_a_limited_run_does_not_claim_all_items() -> None:
    data = results([make.genbiaseval(limited=True)])
    assert data["n-samples"]["evenhand_genbiaseval"]["original"] is None


def test_a_stored_run_is_written_the_same_every_time(tmp_path, measured) -> None:
    save_measurements(tmp_path / "run", [measured])
    one, two = (write(tmp_path / "run", tmp_path / name).read_bytes() for name in ("a.json", "b.json"))
    assert one == two
    written = json.loads(one)
    assert written["evenhand"].pop("seal").startswith("evenhand-sha256:")
    assert written == json.loads(json.dumps(results([measured])))


def test_nothing_to_export() -> None:
    with pytest.raises(BadData, match="no measurements"):
        results([])


def grouped():
    """Nine items of two of the harness's tasks, five examples each, four of five and one of four right."""
    measured = make.genbiaseval()
    card = dataclasses.replace(measured.card, name="lm_eval", version="task 1.0, lm_eval 0")
    scores = tuple(
        Score(
            f"lm_eval/{task}/{i}",
            f"lm_eval/{task}/{i}",
            {"correct": float(right), "tie": None},
            {"task": task},
        )
        for task, answers in (("one", (1, 1, 1, 1, 0)), ("two", (1, 0, 0, 0)))
        for i, right in enumerate(answers)
    )
    shares = {"one": Estimate(0.8, 0.4, 1.0, 5), "two": Estimate(0.25, 0.0, 0.75, 4)}
    return dataclasses.replace(
        measured,
        benchmark="lm_eval:task=mine",
        card=card,
        protocol=dataclasses.replace(measured.protocol, template="5 examples, no chat template"),
        n=9,
        metrics={"accuracy": Estimate(5 / 9, 0.2, 0.9, 9)},
        slices={f"task={name}": {"accuracy": share} for name, share in shares.items()},
        scores=scores,
    )


def test_a_group_of_tasks_is_one_in_the_format() -> None:
    data = results([grouped()])
    assert data["group_subtasks"] == {"mine": ["one", "two"]}
    assert data["groups"]["mine"] == data["results"]["mine"]
    one = data["results"]["one"]
    assert (one["acc,none"], one["sample_len"], data["n-samples"]["two"]["effective"]) == (0.8, 5, 4)
    # Of five independent items the harness's own error of a mean: their SD with n - 1, over sqrt(5).
    assert one["acc_stderr,none"] == pytest.approx((0.8 * 0.2 / 4) ** 0.5)
    assert data["n-shot"] == dict.fromkeys(("mine", "one", "two"), 5)


@pytest.mark.parametrize(
    ("spec", "template", "shots"),
    [
        ("lm_eval:shots=3,task=x", "3 examples, no chat template", 3),
        ("lm_eval:task=x", "0 and 5 examples, no chat template", None),
        ("decisions:shots=8", "", 8),
        ("genbiaseval", "12 examples of something", 0),
    ],
)
def test_the_number_of_examples(spec, template, shots) -> None:
    one = grouped()
    protocol = dataclasses.replace(one.protocol, template=template)
    card = dataclasses.replace(one.card, name=spec.partition(":")[0])
    data = results([dataclasses.replace(one, benchmark=spec, protocol=protocol, card=card, slices={})])
    (name,) = data["results"]
    assert data["n-shot"].get(name) == shots


def test_a_folder_gets_the_items_too(tmp_path, measured) -> None:
    group = grouped()
    save_measurements(tmp_path / "run", [measured, group])
    os.utime(tmp_path / "run" / "measurements.json", (1e9, 1e9))  # 2001-09-09, 01:46:40 UTC
    place = write(tmp_path / "run", tmp_path / "out")
    assert place == tmp_path / "out" / "results_2001-09-09T01-46-40.000000.json"
    assert {file.name for file in (tmp_path / "out").iterdir()} == {
        place.name,
        "samples_evenhand_genbiaseval_2001-09-09T01-46-40.000000.jsonl",
        "samples_mine_2001-09-09T01-46-40.000000.jsonl",
    }
    lines = (tmp_path / "out" / "samples_mine_2001-09-09T01-46-40.000000.jsonl").read_text()
    rows = [json.loads(line) for line in lines.splitlines()]
    assert [row["doc_id"] for row in rows] == list(range(9))
    assert [row["acc"] for row in rows] == [1, 1, 1, 1, 0, 1, 0, 0, 0]
    assert rows[5]["doc"] == {"id": "lm_eval/two/0", "cluster": "lm_eval/two/0", "task": "two"}
    assert rows[0]["tie"] is None
    assert rows[0]["metrics"] == ["acc", "tie"]


def test_files_of_others_and_of_other_runs_are_not_replaced(tmp_path, measured) -> None:
    for name, one in (("a", measured), ("b", dataclasses.replace(measured, scores=measured.scores[:9]))):
        save_measurements(tmp_path / name, [one])
        os.utime(tmp_path / name / "measurements.json", (1e9, 1e9))
    out = tmp_path / "out"
    place = write(tmp_path / "a", out)
    before = {file: file.read_bytes() for file in out.iterdir()}
    assert write(tmp_path / "a", out) == place
    with pytest.raises(BadData, match="there is such a file already, and it is not from this run"):
        write(tmp_path / "b", out)
    assert {file: file.read_bytes() for file in out.iterdir()} == before
    for file, content in before.items():
        file.write_text("mine")
        with pytest.raises(BadData, match=f"{file.name} is not replaced"):
            write(tmp_path / "a", out)
        assert file.read_text() == "mine"
        file.write_bytes(content)


def test_long_names_stay_short_and_apart(tmp_path) -> None:
    """A benchmark over a file has a path in its name, and a file's name may have 255 bytes."""
    names = [f"multiple_choice:file=/{'folder/' * 60}{end}.jsonl" for end in "ab"]
    save_measurements(tmp_path / "run", [dataclasses.replace(grouped(), benchmark=name) for name in names])
    write(tmp_path / "run", tmp_path / "out")
    found = [file.name for file in (tmp_path / "out").iterdir()]
    assert len(found) == 3
    assert max(map(len, found)) < 150


class TestTheHarness:
    """What the harness itself makes of the files."""

    @pytest.fixture(autouse=True)
    def _installed(self) -> None:
        pytest.importorskip("lm_eval")

    def test_its_table_shows_every_figure(self, measured) -> None:
        from lm_eval.utils import make_table

        data = results([measured, grouped()])
        table = make_table(data)
        for name, estimate in measured.metrics.items():
            value = "N/A" if estimate.value is None else f"{float(estimate.value):.4f}"
            assert re.search(rf"\|{name} *\|[^|]*\| *{re.escape(value)}\|", table), name
        assert re.search(r"\| - one *\|.*\| *5\|acc *\|[^|]*\|0\.8000\|±", table)
        assert "mine" in make_table(data, "groups")

    def test_it_finds_the_newest_files_and_reads_the_items(self, tmp_path, measured, monkeypatch) -> None:
        from datasets import load_dataset
        from lm_eval.utils import get_latest_filename, get_results_filenames, get_sample_results_filenames

        monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", str(tmp_path / "cache"))
        save_measurements(tmp_path / "run", [measured])
        written = []
        for second in (1e9, 1.1e9):
            os.utime(tmp_path / "run" / "measurements.json", (second, second))
            written.append(write(tmp_path / "run", tmp_path / "out"))
        names = sorted(str(file) for file in (tmp_path / "out").iterdir())
        assert get_latest_filename(get_results_filenames(names)) == str(written[1])
        items = get_latest_filename(get_sample_results_filenames(names))
        rows = load_dataset("json", data_files=items, split="train")
        assert rows["doc_id"][:] == list(range(measured.n))
        assert rows["p.male"][:] == pytest.approx([score.values["p.male"] for score in measured.scores])


def test_the_verb_writes_it(tmp_path, measured, capsys) -> None:
    from evenhand.cli import main

    save_measurements(tmp_path / "run", [measured])
    assert main(["report", str(tmp_path / "run"), "--lm-eval", str(tmp_path / "out.json"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["lm_eval"] == str(tmp_path / "out.json")
    assert "evenhand_genbiaseval" in json.loads((tmp_path / "out.json").read_text())["results"]
    assert main(["report", str(tmp_path / "run"), "--lm-eval", str(tmp_path / "out"), "--json"]) == 0
    place = json.loads(capsys.readouterr().out)["lm_eval"]
    assert place.startswith(str(tmp_path / "out" / "results_"))
    assert json.loads(Path(place).read_text()) == json.loads((tmp_path / "out.json").read_text())
