"""Classifiers with fairness in the loss: a planted gap that falls, Hugging Face heads, seeds, refusals."""

from __future__ import annotations

import itertools
import textwrap
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from evenhand.errors import BadData, BadOption
from evenhand.training import classifier
from evenhand.training.classifier import Fit, fit_classifier
from evenhand.training.fair_losses import GroupGapLoss, stratified


def _planted(n: int = 1200, seed: int = 0) -> tuple[Tensor, Tensor, list[str]]:
    """Two groups whose outcomes follow opposite signs of one feature, the second a fifth as large.

    A model that cannot see the group learns the majority's sign and errs about the minority.
    """
    generator = torch.Generator().manual_seed(seed)
    minority = torch.rand(n, generator=generator) < 1 / 6
    x = torch.randn(n, 2, generator=generator)
    direction = torch.where(minority, -0.2 * x[:, 0] + x[:, 1], x[:, 0] + 0.2 * x[:, 1])
    return x, (direction > 0).long(), ["few" if m else "many" for m in minority.tolist()]


def _linear() -> nn.Linear:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Linear(2, 2)


def _errors(module: nn.Module, seed: int = 1) -> tuple[float, float]:
    x, y, groups = _planted(4000, seed)
    wrong = (module(x).argmax(dim=1) != y).float()
    few = torch.tensor([g == "few" for g in groups])
    return wrong[few].mean().item(), wrong[~few].mean().item()


def _fitted(lam: float, seed: int = 0, *, n: int = 1200, epochs: int = 15) -> nn.Linear:
    module = _linear()
    how = Fit(lr=0.02, epochs=epochs, batch=64, seed=seed)
    fit_classifier(module, *_planted(n), loss=GroupGapLoss(lam=lam), how=how)
    return module


def test_the_gap_falls_on_new_people_and_plain_training_leaves_it() -> None:
    plain, fair = _errors(_fitted(0.0)), _errors(_fitted(2.0))
    assert plain[0] - plain[1] > 0.25
    assert abs(fair[0] - fair[1]) < 0.4 * (plain[0] - plain[1])


def test_one_seed_gives_one_fit() -> None:
    first, again, other = (_fitted(0.5, seed, n=300, epochs=2) for seed in (0, 0, 1))
    assert torch.equal(first.weight, again.weight)
    assert not torch.equal(first.weight, other.weight)


def test_dropout_repeats_and_leaves_no_trace() -> None:
    def run() -> Tensor:
        module = nn.Sequential(nn.Dropout(0.5), _linear())
        module.eval()
        state = torch.get_rng_state()
        fit_classifier(module, *_planted(200), how=Fit(epochs=1))
        assert torch.equal(torch.get_rng_state(), state)
        assert not module.training
        weight: Tensor = module[1].weight
        return weight

    assert torch.equal(run(), run())


def test_a_hugging_face_classifier_takes_named_rows() -> None:
    from transformers import BertConfig, BertForSequenceClassification

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        sizes: dict[str, Any] = {"hidden_size": 16, "intermediate_size": 16, "vocab_size": 20}
        config = BertConfig(num_hidden_layers=1, num_attention_heads=2, **sizes)
        module = BertForSequenceClassification(config)
    ids = torch.randint(2, 20, (64, 5), generator=torch.Generator().manual_seed(0))
    rows = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    labels = (ids[:, 0] > 10).long()
    history = fit_classifier(module, rows, labels, ["a", "b"] * 32, how=Fit(lr=0.01, epochs=8, batch=16))
    assert len(history) == 8 * 4
    assert sum(history[-4:]) < sum(history[:4])


def test_the_documented_ways_into_other_loops(tmp_path: Path) -> None:
    """The trainer of the module's docstring is run as it stands there, and so are its batches."""
    pytest.importorskip("accelerate", reason="Hugging Face's Trainer needs it")
    from torch.utils.data import DataLoader
    from transformers import Trainer, TrainingArguments

    class Scores(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = _linear()

        def forward(self, x: Tensor) -> Any:
            return SimpleNamespace(logits=self.linear(x))

    x, y, groups = _planted(120)
    of_row = [int(g == "few") for g in groups]
    names: dict[str, Any] = {"Trainer": Trainer, "GroupGapLoss": GroupGapLoss, "data": range(120)}
    names |= {"stratified": stratified, "DataLoader": DataLoader, "groups": of_row}
    trainer_text, batches_text = _examples(classifier.__doc__ or "")
    exec(trainer_text, names)
    exec(batches_text, names)
    assert all({of_row[i] for i in batch.tolist()} == {0, 1} for batch in names["loader"])
    rows = [{"x": x[i], "labels": int(y[i]), "group": of_row[i]} for i in range(120)]
    how = TrainingArguments(
        str(tmp_path),
        num_train_epochs=1,
        remove_unused_columns=False,
        report_to=[],
        use_cpu=True,
        save_strategy="no",
        disable_tqdm=True,
    )
    module = Scores()
    with torch.random.fork_rng(devices=[]):
        names["FairTrainer"](model=module, args=how, train_dataset=rows).train()
    assert not torch.equal(module.linear.weight, _linear().weight)


def _examples(text: str) -> list[str]:
    """The indented blocks after each ``::``."""
    blocks = []
    for part in text.split("::\n\n")[1:]:
        lines = itertools.takewhile(lambda line: not line or line.startswith("    "), part.splitlines())
        blocks.append(textwrap.dedent("\n".join(lines)))
    return blocks


def test_bad_input() -> None:
    x, y, groups = _planted(20)
    with pytest.raises(BadData, match="rows 20, classes 20, groups 19"):
        fit_classifier(_linear(), x, y, groups[:-1])
    with pytest.raises(BadData, match="All people are of the group 'a'"):
        fit_classifier(_linear(), x, y, ["a"] * 20)
    with pytest.raises(BadOption, match="cannot hold all 3 groups"):
        fit_classifier(_linear(), x, y, ["a", "b"] * 9 + ["c", "c"], how=Fit(batch=2))
