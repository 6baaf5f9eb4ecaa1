"""The Python of docs/after-the-fact.md is run as it stands there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from evenhand.postprocessing import Thresholds, fit_thresholds, save_rule
from tests.postprocessing.synthetic import drawn

PAGE = Path(__file__).parents[2] / "docs" / "after-the-fact.md"
ON_SCORES, IN_THE_LOSS = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def test_rules_on_scores_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("fairlearn", reason="the extra `fairness` is not installed")
    monkeypatch.chdir(tmp_path)
    Path("treated").mkdir()
    people, new = drawn(600, 0), drawn(40, 1)
    save_rule(fit_thresholds(*people, constraint="precision_parity"), Path("treated/rule.json"))
    names: dict[str, Any] = dict(zip(("scores", "outcomes", "groups"), people, strict=True))
    names |= {"new_scores": new[0], "new_groups": new[2], "ids": [str(i) for i in range(40)]}
    exec(ON_SCORES, names)
    assert isinstance(names["rule"], Thresholds)
    assert Path("rule.json").is_file()


def test_fairness_in_the_loss() -> None:
    rows = torch.randn(48, 2, generator=torch.Generator().manual_seed(0))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = torch.nn.Linear(2, 2)
    before = module.weight.detach().clone()
    numbers = [i % 2 for i in range(48)]
    names: dict[str, Any] = {"module": module, "rows": rows, "classes": (rows[:, 0] > 0).long()}
    names |= {"groups": ["ab"[i] for i in numbers], "group_numbers": numbers}
    exec(IN_THE_LOSS, names | {"group_of": torch.tensor(numbers)})
    assert not torch.equal(module.weight, before)
    assert module.weight.grad is not None
