"""The script behind tables 1 and 2 in docs/faircon.md: resamples, judgement, and a whole run (slow)."""

import copy
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from evenhand.records import Score

SCRIPT = Path(__file__).parents[2] / "perf" / "decisions.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("perf_decisions", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, spec.name, module)  # its dataclasses look their module up
        spec.loader.exec_module(module)
        yield module


def test_people_and_draws_are_resampled_together(script):
    """Each weight is (times the person was drawn) x (times the draw was): the table has rank 1."""
    weights = script.evidence.drawn(5, 3).reshape(-1, 3, 5)
    assert np.all(weights.sum((1, 2)) == 15)
    assert np.all(weights.sum(2) % 5 == 0)  # of each draw all people count, drawn 5 times in all
    assert np.all(weights.sum(1) % 3 == 0)
    assert np.linalg.matrix_rank(weights[0]) == 1
    assert weights.std(0).min() > 0


def row(script, setting, gap, people=40, draws=2):
    """People of whom the first half are of the first group; their gaps lie around `gap`."""
    scores = []
    for draw in range(draws):
        for i in range(people):
            p = 0.5 + np.array([1, -1]) * (gap + 0.02 * np.cos(i) + 0.01 * draw) / 2
            own, outcome = int(i >= people // 2), float(i % 4 != 0) if i % 2 else float(i % 4 == 0)
            values = {"p.male": p[0], "p.female": p[1], "member.male": 1.0 - own, "member.female": float(own)}
            values |= {"decision.male": float(p[0] > 0.5), "decision.female": float(p[1] > 0.5)}
            values |= {"decision": outcome if i % 8 else 1 - outcome, "outcome": outcome}
            values["probability"] = float(p[own])
            scores.append(Score(f"s{i}", f"c{i}", values, {}))
    benchmark = script.registry.create("benchmark", "decisions:shots=0,n=4")
    return script.Row(setting, scores, benchmark.metrics, None)


def test_tables_from_known_gaps(script):
    """Gaps of 0.05, 0.2 and 0.05 again after counterbalancing: changes of +0.15 and -0.15."""
    settings = [
        script.Setting(0, 0.0),
        script.Setting(16, 0.0),
        script.Setting(16, 1.0),
        script.Setting(16, 0.0, counterbalanced=True),
        script.Setting(16, 1.0, counterbalanced=True),
    ]
    assert settings == script.settings(16, [1.0, 0.0])
    gaps = (0.1, 0.05, 0.2, 0.05, 0.05)
    found = script.tables([row(script, *one) for one in zip(settings, gaps, strict=True)], draws=2)
    measured = [line["gap"]["value"] for line in found["rows"]]
    assert measured == pytest.approx(gaps, abs=0.01)
    assert found["steps"][0]["gap"]["value"] == pytest.approx(0.15)
    assert found["steps"][0]["gap"]["low"] == pytest.approx(0.15)  # the rows differ by the same for everybody
    assert found["counterbalancing"][1]["gap"]["value"] == pytest.approx(-0.15)
    wrong = script.failures(found)
    assert "DPD does not grow from the lowest parity to the highest" in wrong  # own decisions never moved
    text = script.markdown(found)
    assert "| b_P = 1, counterbalanced | - |" in text
    assert "| b_P = 0 → b_P = 1 | +0.150 (+0.150 to +0.150) |" in text


def test_what_must_hold(script):
    certain, none, accurate = (
        {"value": value, "low": low, "high": high}
        for value, low, high in ((0.3, 0.2, 0.4), (None, None, None), (0.8, 0.7, 0.9))
    )
    fall = {"value": -0.3, "low": -0.4, "high": -0.2}
    lines = [{"title": "x", "accuracy": accurate, "majority": {"value": 0.5}}] * 2
    good = {
        "rows": lines,
        "steps": [{"before": "a", "after": "b", "gap": certain}],
        "whole": {"dpd": certain},
        "counterbalancing": [
            {"parity": 0.0, "after": "c", "gap": certain},
            {"parity": 0.5, "after": "d", "gap": fall},
        ],
    }
    assert script.failures(good) == []
    for change, says in (
        (lambda t: t["steps"][0].update(gap=fall), "a to b: the gap does not grow"),
        (lambda t: t["steps"][0].update(gap=none), "a to b: the gap does not grow"),
        (lambda t: t["whole"].update(dpd=none), "DPD does not grow"),
        (lambda t: t["counterbalancing"][1].update(gap=certain), "d: the gap does not fall"),
        (lambda t: t["rows"][0].update(accuracy={**accurate, "low": 0.45}), "x: no more accurate"),
    ):
        bad = copy.deepcopy(good)
        change(bad)
        assert any(says in line for line in script.failures(bad)), says


@pytest.mark.slow
@pytest.mark.parametrize(("uri", "status"), [("lab:decisions", 0), ("lab:decisions?planted=none", 1)])
def test_the_script_finds_the_paper_s_shape_where_it_was_planted(uri, status):
    command = [sys.executable, str(SCRIPT), "--uri", uri, "--parities", "0,0.5,1", "--draws", "4", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr
    found = json.loads(done.stdout)
    for line in found["rows"]:
        assert line["gap"]["value"] == pytest.approx(line["planted_gap"], abs=0.05)
