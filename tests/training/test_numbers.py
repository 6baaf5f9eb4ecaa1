"""Numbers that a method cannot use are refused when it is made, so before any model is opened."""

from __future__ import annotations

import dataclasses

import pytest

from evenhand import registry
from evenhand.errors import BadOption

WRONG = {
    "lftf": ("epochs=0", "epochs=-1", "batch=0", "lr=-1", "lr=nan", "lr=inf", "keep=-1", "keep=nan", "top=0"),
    "full_finetune": ("epochs=0", "batch=0", "batch=-3", "lr=-1", "lr=nan", "keep=-1"),
    "plain_text": ("epochs=0", "batch=0", "lr=nan", "dose=0", "dose=-1", "dose=inf", "dose=nan"),
    "sham": ("dose=0", "dose=-1", "dose=inf"),
    "heads": ("dose=0", "dose=1", "dose=nan"),
    "prune": ("dose=0", "dose=1", "dose=nan"),
    "quantise": ("dose=0", "dose=inf"),
    "temperature": ("dose=0", "dose=-1"),
    "noise": ("dose=0", "dose=nan", "dose=inf"),
    "noise_elsewhere": ("dose=0", "dose=-1"),
    "group_gap": ("epochs=0", "batch=0", "lr=-1", "lr=inf", "lam=-1", "lam=nan"),
    "mend": ("rank=0", "iterations=0", "batch=0", "edits=0", "lr=0", "lr=nan", "edit_lr=0", "c_loc=-1"),
    "faircon": ("rounds=0", "batch=0", "lr=nan", "lr=inf", "lam=inf", "dropout=1", "dropout=nan", "rank=0"),
    "cda": ("epochs=0", "batch=0", "maskings=0", "lr=-1", "lr=nan", "keep=-1"),
    "dropout": ("epochs=0", "batch=0", "maskings=0", "lr=-1", "hidden=1", "attention=nan"),
    "dpo": ("epochs=0", "batch=0", "lr=-1", "beta=0", "beta=nan", "keep=-1", "keep=nan"),
    "pcgu": ("epochs=0", "batch=0", "k=0", "lr=-1", "lr=nan"),
    "crows_tuning": ("epochs=0", "batch=0", "lr=nan", "replay=1", "kl=-1"),
    "fair_prompt": ("rounds=0", "budget=0", "beta=nan", "beta=inf", "prompt_lr=-1", "prompt_lr=nan"),
    "inlp": ("rounds=0", "rounds=-1", "stop=-1", "stop=nan", "cost=0", "cost=inf"),
}


def _kind(name: str) -> str:
    return "control" if name in registry.names("control") else "mitigation"


@pytest.mark.parametrize(("name", "option"), [(name, one) for name, all_ in WRONG.items() for one in all_])
def test_a_number_out_of_range_is_refused_and_named(name: str, option: str) -> None:
    with pytest.raises(BadOption) as caught:
        registry.create(_kind(name), f"{name}:{option}")
    assert f"{name} cannot use {option.partition('=')[0]}=" in str(caught.value)


def test_every_method_that_trains_is_in_the_table() -> None:
    training = {"lr", "epochs", "batch", "rounds", "dose"}
    made = {n: registry.get(kind, n) for kind in ("mitigation", "control") for n in registry.names(kind)}
    trains = {n for n, kind in made.items() if training & {f.name for f in dataclasses.fields(kind)}}
    assert trains == set(WRONG)


@pytest.mark.parametrize("name", WRONG)
def test_the_defaults_are_fine_and_unset_stays_unset(name: str) -> None:
    made = registry.create(_kind(name), name)
    assert registry.spec_of(name, made) == name
