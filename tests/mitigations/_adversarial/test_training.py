"""The training loop: plain fine-tuning at lam = 0 bit for bit, both terms above it, averages, resume."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from evenhand.errors import BadData, BadModel
from evenhand.mitigations._adversarial.adversary import PrefixSettings, stream
from evenhand.mitigations._adversarial.choosing import Choice, choose, pool
from evenhand.mitigations._adversarial.panel import Panel
from evenhand.mitigations._adversarial.training import Settings, Trained, Trainer
from evenhand.models.causal import CausalModel
from evenhand.records import PersonExample
from evenhand.testing.examples import people
from evenhand.testing.tiny import model as tiny
from evenhand.training import checkpoints as disk
from evenhand.training.lora import LoraSettings, adapted

TRAIN = [p for p in people() if p.part == "train"]
DEV = [p for p in people() if p.part == "dev"]
SHORT = {"rounds": 4, "batch": 4, "prefix": PrefixSettings(length=3), "lr": 5e-3}


def _panels(model: CausalModel, dev: list[PersonExample], length: int) -> tuple[Panel, Panel | None]:
    return Panel(model, TRAIN, length=length), Panel(model, dev, length=length) if dev else None


def _train(
    model: CausalModel,
    settings: Settings,
    *,
    dev: list[PersonExample] | None = None,
    folder: Path | None = None,
) -> tuple[Trained, Choice, dict[str, Tensor], dict[str, Tensor]]:
    """The course, the choice, the weights that were kept, and the newest ones."""
    panels = _panels(model, DEV if dev is None else dev, settings.prefix.length)
    with adapted(model, settings.lora, seed=3) as adapter:
        trainer = Trainer(model, adapter, panels, settings, 3)
        trained = trainer.run(folder)
        newest = adapter.values()
        choice = choose(trainer, adapter, 0.01)
        return trained, choice, adapter.values(), newest


def _plain_loop(model: CausalModel, *, rounds: int, batch: int, lr: float) -> dict[str, Tensor]:
    """LoRA fine-tuning on the true label words by peft's own interface, without evenhand's loop."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(3)
    config = LoraConfig(
        r=4, lora_alpha=16, lora_dropout=0.01, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM"
    )
    wrapped = get_peft_model(model.module, config)  # type: ignore[arg-type]
    wrapped.eval()
    parameters = [p for p in wrapped.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(parameters, lr=lr)
    panel = Panel(model, TRAIN)
    for number in range(rounds):
        order = torch.randperm(len(TRAIN), generator=stream(3, "people", number))
        for step, chosen in enumerate(torch.split(order, batch)):
            torch.manual_seed(stream(3, "dropout", number, step).initial_seed())
            for name, part in wrapped.named_modules():
                part.training = "lora_dropout" in name
            log_p = panel.answers(chosen.tolist()).log_p
            rows = [log_p[n, TRAIN[i].group, TRAIN[i].label] for n, i in enumerate(chosen.tolist())]
            optimiser.zero_grad()
            (-torch.stack(rows).mean()).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    found = {
        name.removeprefix("base_model.model.").replace(".default", ""): p.detach().clone()
        for name, p in wrapped.named_parameters()
        if p.requires_grad
    }
    return found


def test_lam_zero_is_plain_fine_tuning_bit_for_bit() -> None:
    settings = Settings(lam=0, average="none", **SHORT)  # type: ignore[arg-type]
    _, choice, kept, _ = _train(tiny("llama"), settings, dev=[])
    with torch.random.fork_rng(devices=[]):
        plain = _plain_loop(tiny("llama"), rounds=4, batch=4, lr=5e-3)
    assert choice.rule.startswith("the last round")
    assert kept.keys() == plain.keys()
    assert all(kept[name].equal(plain[name]) for name in kept)
    assert any(bool(value.any()) for name, value in kept.items() if "lora_B" in name)


def test_lam_zero_does_not_see_the_twins() -> None:
    # With the twins' prompts exchanged for nonsense the same weights come out.
    settings = Settings(lam=0, average="none", **SHORT)  # type: ignore[arg-type]
    model = tiny("llama")
    values = []
    for odd in (False, True):
        changed = [_with_odd_twin(p) if odd else p for p in TRAIN]
        with adapted(model, settings.lora, seed=3) as adapter:
            Trainer(model, adapter, (Panel(model, changed), None), settings, 3).run()
            values.append(adapter.values())
    assert all(torch.allclose(values[0][n], values[1][n], atol=1e-5) for n in values[0])


def _with_odd_twin(person: PersonExample) -> PersonExample:
    import dataclasses

    contexts = tuple(
        c if g == person.group else "The hall heard his dog" for g, c in enumerate(person.contexts)
    )
    return dataclasses.replace(person, contexts=contexts)


def test_the_models_loss_has_both_terms() -> None:
    model = tiny("llama")
    settings = Settings(lam=0.7, average="none", lora=LoraSettings(dropout=0.0), **SHORT)  # type: ignore[arg-type]
    with adapted(model, settings.lora, seed=3) as adapter:
        trainer = Trainer(model, adapter, _panels(model, [], 3), settings, 3)
        chosen = [0, 3, 5]
        loss, of_task, of_distance = trainer._loss(chosen, 0, stream(1, "x"))
        prefix = trainer.adversaries[0].draw(stream(1, "x")).detach()
        plain, behind = trainer.panel.answers(chosen), trainer.panel.answers(chosen, prefix)
        task = (plain.task() + behind.task()) / 2
        distance = (plain.apart("log_odds") + behind.apart("log_odds")) / 2
        assert of_task == pytest.approx(task.item())
        assert of_distance == pytest.approx(distance.item())
        assert loss.item() == pytest.approx(task.item() + 0.7 * distance.item())
        # The distance reaches the model's weights: its gradient is not that of the task alone.
        last = list(adapter.parameters.values())[-1]
        (of_both,) = torch.autograd.grad(loss, [last])
        (of_one,) = torch.autograd.grad(task, [last])
        assert (of_both - of_one).abs().max() > 1e-3 * of_one.abs().max()
        # And the model's step does not train the adversary.
        assert trainer.adversaries[0].logits.grad is None


def test_the_average_is_evaluated_and_kept() -> None:
    settings = Settings(average="swa", **SHORT)  # type: ignore[arg-type]
    trained, choice, kept, newest = _train(tiny("llama"), settings)
    apart = [value is not None for value in trained.apart]
    assert apart == [False, False, True, True]  # from the second half on
    assert choice.round in (2, 3)
    assert all(kept[name].equal(trained.snapshots[choice.round][name]) for name in kept)
    assert any(not kept[name].equal(newest[name]) for name in kept)
    # What is kept is what was looked at: its accuracy and distance can be had again from the weights.
    model = tiny("llama")
    with adapted(model, settings.lora, seed=3) as adapter:
        adapter.write(kept)
        answers = Panel(model, DEV, length=3).everyone()
    assert trained.history[choice.round]["dev_task"] == pytest.approx(answers.task().item(), abs=1e-5)
    seen = trained.history[choice.round]["dev_distances"][0]
    assert seen == pytest.approx(answers.apart("log_odds").item(), abs=1e-5)


def test_the_average_by_hand() -> None:
    # Two rounds of one step each: the average begins in the second, so it is that step's weights alone;
    # with four rounds it is the mean of the last two.
    settings = Settings(lam=0, average="swa", rounds=4, batch=100, lr=5e-3)
    with_average, _, _, _ = _train(tiny("llama"), settings, dev=[])
    without, _, _, _ = _train(
        tiny("llama"), Settings(lam=0, average="none", rounds=4, batch=100, lr=5e-3), dev=[]
    )
    for name, value in with_average.snapshots[3].items():
        mean = (without.snapshots[2][name] + without.snapshots[3][name]) / 2
        torch.testing.assert_close(value, mean, atol=1e-7, rtol=1e-5)


def test_the_distance_falls_with_lam() -> None:
    model, after = tiny("llama"), {}
    for lam in (0.0, 10.0):
        settings = Settings(
            lam=lam, average="none", rounds=10, batch=6, lr=5e-3, prefix=PrefixSettings(length=3)
        )
        _, _, kept, _ = _train(model, settings, dev=[])
        with adapted(model, settings.lora, seed=3) as adapter:
            adapter.write(kept)
            after[lam] = float(Panel(model, TRAIN).everyone().apart("log_odds"))
    assert after[10.0] < 0.5 * after[0.0]


class _Killed(Exception):
    pass


@pytest.mark.parametrize(("lam", "average"), [(1.0, "swa"), (1.0, "ema"), (0.0, "none")])
def test_a_killed_fit_resumes_in_the_same_bits(
    lam: float, average: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(lam=lam, average=average, **SHORT)  # type: ignore[arg-type]
    whole, first, kept, _ = _train(tiny("gpt2"), settings, folder=tmp_path / "whole")
    written = disk.write

    def killed(folder: Path, checkpoint: disk.Checkpoint) -> None:
        written(folder, checkpoint)
        if len(checkpoint.rest["history"]) == 3:
            raise _Killed

    with monkeypatch.context() as patch:
        patch.setattr(disk, "write", killed)
        with pytest.raises(_Killed):
            _train(tiny("gpt2"), settings, folder=tmp_path / "broken")
    seen: list[int] = []
    learn = Trainer._learn
    monkeypatch.setattr(Trainer, "_learn", lambda self, n: (seen.append(n), learn(self, n))[1])
    again, second, resumed, _ = _train(tiny("gpt2"), settings, folder=tmp_path / "broken")
    assert seen == [3]  # only the round that was missing
    assert again.history == whole.history
    assert (first, again.prompts) == (second, whole.prompts)
    assert all(kept[name].equal(resumed[name]) for name in kept)


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    for text in ("{", "[" * 100_000):
        (tmp_path / "c" / disk.REST).write_text(text)
        with pytest.raises(BadData, match=r"checkpoint in .*damaged.*Delete that folder"):
            disk.read(tmp_path / "c")
    assert disk.read(tmp_path / "none") is None


def test_the_choice_prefers_small_worst_distance_within_the_tolerance() -> None:
    model = tiny("llama")
    settings = Settings(average="none", **SHORT)  # type: ignore[arg-type]
    with adapted(model, settings.lora, seed=3) as adapter:
        trainer = Trainer(model, adapter, _panels(model, DEV, 3), settings, 3)
        trainer.run()
        for entry, value in zip(trainer.trained.history, (0.5, 0.9, 0.895, 0.7), strict=True):
            entry["dev_accuracy"] = value
        choice = choose(trainer, adapter, 0.01)
        able = [r for r in range(4) if choice.worst[r] is not None]
        assert able == [1, 2]  # 0.895 is within a point of 0.9
        assert choice.worst[choice.round] == min(choice.worst[r] for r in able)  # type: ignore[type-var]
        assert choose(trainer, adapter, 1.0).worst.count(None) == 0
        prefixes = pool(trainer)
        assert [tuple(ids) for ids in trainer.trained.prompts[-1]] == [tuple(ids) for ids in prefixes[:2]]
        assert len({tuple(ids) for ids in prefixes}) == len(prefixes)


def test_a_loss_that_is_no_number_is_said() -> None:
    settings = Settings(lam=1, average="none", **{**SHORT, "lr": 1e20})  # type: ignore[arg-type]
    with pytest.raises(BadModel, match=r"loss became (nan|inf).*Lower"):
        _train(tiny("llama"), settings)
