"""The study file: what it may say, and every problem of it at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evenhand.errors import BadData
from evenhand.studies.grid.candidates import MOST, read_entries
from evenhand.studies.grid.checking import check, checked
from evenhand.studies.grid.file import examined, read_study

PLAIN: dict[str, Any] = {"models": ["lab:causal"], "mitigations": ["prompt"]}


def _problems(**changes: Any) -> list[str]:
    return examined(PLAIN | changes, "s")[1]


def test_a_plain_file_has_defaults() -> None:
    study, problems = examined(PLAIN, "s")
    assert problems == []
    assert study is not None
    assert (study.seeds, study.cells, study.budget, study.options.control) == ((0,), 1, None, "standard")


def test_cells_are_models_times_mitigations_times_seeds() -> None:
    study, _ = examined({**PLAIN, "mitigations": ["prompt", "lftf"], "seeds": 3}, "s")
    assert study is not None
    assert (study.seeds, study.cells) == ((0, 1, 2), 1 * 2 * 3)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"modles": []}, "no key 'modles' (did you mean 'models'?)"),
        ({"models": []}, "models is missing or empty"),
        ({"models": ["lab:causal", "lab:causal"]}, "names lab:causal twice"),
        ({"seeds": [0, 0]}, "neither a list of different seeds"),
        ({"seeds": 0}, "neither a list of different seeds"),
        ({"seeds": [-1]}, "seed=-1 is not valid"),
        ({"control": "much"}, "control='much' is not an extent"),
        ({"margins": {"acuracy": 0.1}}, "no limit 'acuracy' (did you mean 'accuracy'?)"),
        ({"margins": {"accuracy": 2}}, "margin=2 is not a share"),
        ({"margins": 0.1}, "margins = 0.1 is no table"),
        ({"budget": 0}, "budget = 0 is not a time"),
        ({"budget": True}, "budget = True is not a time"),
        ({"limit": 0}, "limit=0 is not valid"),
        ({"benchmarks": [3]}, "benchmarks = [3] is no list of texts"),
    ],
)
def test_each_wrong_value_is_named(changes: dict[str, Any], said: str) -> None:
    assert [text for text in _problems(**changes) if said in text] != []


def test_a_budget_that_no_cell_can_keep_is_impossible() -> None:
    # 6 cells of at least one second are 0.1 minutes
    six = {"mitigations": ["prompt", "lftf"], "seeds": 3}
    assert _problems(**six, budget=0.11) == []
    (said,) = _problems(**six, budget=0.05)
    assert "0.05 minutes leaves 0.5 seconds for each of 6 cells" in said


def test_a_grid_is_every_combination() -> None:
    (entry,), problems = read_entries([{"with": "lftf", "lr": [1e-5, 1e-4], "epochs": [1, 2], "top": 2}])
    assert problems == []
    assert entry.name == "lftf"
    assert entry.specs == (
        "lftf:epochs=1,lr=1e-05,top=2",
        "lftf:epochs=2,lr=1e-05,top=2",
        "lftf:epochs=1,lr=0.0001,top=2",
        "lftf:epochs=2,lr=0.0001,top=2",
    )


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("lftff", "Did you mean 'lftf'"),
        ({"lr": [1e-5]}, "names no method"),
        ({"with": "lftf", "lrr": [1e-5]}, "lftf has no option 'lrr' (did you mean 'lr'?)"),
        ({"with": "lftf", "lr": []}, "offers nothing"),
        ({"with": "lftf", "lr": [[1]]}, "no value"),
        ({"with": "lftf", "lr": [1e-4, 0.0001]}, "lr offers 0.0001 twice"),
        ({"with": "lftf:lr=1e-4", "lr": [1e-5]}, "and in the grid: write it once"),
        ({"with": "lftf", "epochs": ["many"]}, "many is no whole number"),
        ({"with": "prompt", "text": ["a, b"]}, "holds a comma"),
        ({"with": "lftf", "lr": [float("inf")]}, "no finite number"),
        ({"with": "lftf", "epochs": list(range(1, MOST + 2))}, f"has {MOST + 1} settings"),
    ],
)
def test_each_bad_grid_is_named(entry: Any, said: str) -> None:
    entries, problems = read_entries(["prompt", entry])
    assert [one.name for one in entries] == ["prompt"]
    assert [text for text in problems if text.startswith("mitigation 2: ") and said in text] != []


def test_two_of_one_name_are_refused() -> None:
    _, problems = read_entries(["prompt", {"with": "prompt", "name": "prompt"}])
    assert problems == ["two mitigations are named 'prompt': give one of them another name, name = \"...\""]


def test_all_problems_come_at_once(tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_text(
        'models = ["lba:causal", "lab:casual", "hf:./nowhere"]\nmitigations = ["lftff"]\n'
        'benchmarks = ["genbiasevall"]\nlocator = "bmii"\nseeds = []\n'
    )
    study, problems = check(file)
    assert study is None
    for said in ("'lba'", "'casual'", "nowhere", "'lftff'", "'genbiasevall'", "'bmii'", "seeds = []"):
        assert sum(said in text for text in problems) == 1, said
    with pytest.raises(BadData, match="lftff"):
        read_study(file)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('capability = ["genbiaseval"]', "not of capability"),
        ('benchmarks = ["genbiaseval:part=train", "genbiaseval"]', "is trained on"),
        ('benchmarks = ["genhinteval"]', "needs a primary metric"),
        ('primary = "dpd"', "cannot be about 'dpd'"),
    ],
)
def test_data_are_checked_before_a_model_opens(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "s.toml"
    file.write_text(f'models = ["lab:causal"]\nmitigations = ["lftf"]\n{text}\n')
    assert [problem for problem in check(file)[1] if said in problem] != []


def test_a_grid_needs_a_dev_part(tmp_path: Path) -> None:
    file = tmp_path / "s.toml"
    head = 'models = ["lab:causal"]\nmitigations = [{with = "lftf", lr = [1e-5, 1e-4]}]\n'
    file.write_text(head + 'benchmarks = ["genbiaseval:part=dev"]\n')
    assert [text for text in check(file)[1] if "measures its part dev" in text] != []
    file.write_text(head)
    assert [one.settings for one in checked(file).planned] == [2]


def test_what_is_no_toml_is_said(tmp_path: Path) -> None:
    file = tmp_path / "s.toml"
    file.write_text("models = [")
    with pytest.raises(BadData, match="not TOML"):
        read_study(file)
