"""Shares of requests: made of the requests alone, answered by any process, put together in order."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from evenhand.errors import BadData
from evenhand.models import together
from evenhand.models.causal import CausalModel
from evenhand.models.dealing import shares_of
from evenhand.models.digests import every_tensor, tensor_digests, weights_digest
from evenhand.records import Continuation, Request, Response
from evenhand.scoring.report import ScoringReport, combined
from evenhand.testing import tiny

NOUNS = ("nurse", "carpenter", "teacher", "doctor")
ITEMS = [
    Continuation(f"The {noun} {done} because", f" {term}")
    for noun in NOUNS
    for done in ("smiled", "left", "sat down slowly")
    for term in ("he", "she", "they")
]  # 36 requests


def test_shares_do_not_depend_on_the_order_and_keep_equal_requests_together() -> None:
    asked = [*ITEMS, *ITEMS]
    shuffled = random.Random(1).sample(asked, len(asked))
    shares, other = shares_of(asked, 400), shares_of(shuffled, 400)
    assert sorted(i for share in shares for i in share) == list(range(72))
    assert len(shares) > 4
    assert [[asked[i] for i in share] for share in shares] == [
        [shuffled[i] for i in share] for share in other
    ]
    homes = [{asked[i] for i in share} for share in shares]
    assert sum(map(len, homes)) == 36  # no request has two homes
    for share in shares:  # equal requests keep their order
        for item in {asked[i] for i in share}:
            places = [i for i in share if asked[i] == item]
            assert places == sorted(places)


def test_a_share_ends_once_it_is_full() -> None:
    # Every request is longer than 1 character and shorter, with the 35 others, than a million.
    assert len(shares_of(ITEMS, 1)) == 36
    assert shares_of(ITEMS, 10**6) == [sorted(range(36), key=lambda i: repr(ITEMS[i]))]
    assert shares_of([], 10) == []


def _answered(model: CausalModel, size: int) -> list[Response]:
    work = together._Work({}, ITEMS, shares_of(ITEMS, 400))
    done = [together._worked(model, work, rank, size, lambda amount: None) for rank in range(size)]
    assert sum(map(len, done)) == len(work.shares)
    return together._joined(model, work, [share for of in done for share in of])


def test_the_number_of_processes_changes_no_bit_and_no_count() -> None:
    model = tiny.model("gpt2")
    assert isinstance(model, CausalModel)
    one = _answered(model, 1)
    report = model.scoring()
    for size in (2, 3, 5):
        assert _answered(model, size) == one
        assert replace(model.scoring(), probed=0) == replace(report, probed=0)
    assert report.requests == 36
    alone = model.answer_alone(ITEMS)
    assert [a.n_tokens for a in one] == [a.n_tokens for a in alone]  # type: ignore[union-attr]
    worst = max(abs(a.value - b.value) for a, b in zip(one, alone, strict=True))  # type: ignore[union-attr]
    assert worst < 2e-5  # float32, and a model whose matrices are multiplied by 12


class _Failing(CausalModel):
    """A model that fails at its second call, as a process without memory does."""

    calls = 0

    def answer_alone(self, requests: Sequence[Request]) -> list[Response]:
        self.calls += 1
        if self.calls == 2:
            raise BadData("No.", mend="None.")
        return super().answer_alone(requests)


def test_a_share_that_failed_is_tried_again() -> None:
    module, tokenizer = tiny.module("gpt2"), tiny.tokenizer()
    model = _Failing(module, tokenizer, "tiny:gpt2")
    found = _answered(model, 2)
    assert model.calls == len(shares_of(ITEMS, 400)) + 1
    assert found == _answered(CausalModel(module, tokenizer, "tiny:gpt2"), 1)


def test_reports_of_shares_add_up() -> None:
    left = ScoringReport("tree", "packed", requests=3, rows=2, run=10, packable=None, batch_tokens=64)
    right = ScoringReport(
        "right", "hooks", requests=4, rows=4, run=20, packable=15, batch_tokens=32, probe=0.1
    )
    both = combined([left, right])
    assert (both.requests, both.rows, both.run, both.packable) == (7, 6, 30, 15)
    assert (both.path, both.why, both.batch_tokens, both.probe) == ("right", "hooks", 32, 0.1)
    assert combined([left]) == left


def test_the_digest_of_weights_is_that_of_their_names_and_digests() -> None:
    module = tiny.module("gpt2")
    parts = tensor_digests(module)
    assert parts.keys() == every_tensor(module).keys()
    text = "".join(f"{name}:{parts[name]};" for name in sorted(parts))
    assert weights_digest(module) == hashlib.sha256(text.encode()).hexdigest()


def test_only_changed_tensors_are_sent() -> None:
    import torch

    module = tiny.module("gpt2")
    team = together.Team(2)
    team._held = [together._State(tensor_digests(module), "", "")]
    assert team._changes(module) == {}
    name, weight = next(iter(module.named_parameters()))
    with torch.no_grad():
        weight.data[0, 0] += 1.0  # which torch does not count as a change
    sent = team._changes(module)
    assert list(sent) == [name]
    assert torch.equal(sent[name], weight)
    assert team._changes(module) == {}
    other = tiny.module("gpt2")
    together._write(other, sent)
    assert weights_digest(other) == weights_digest(module)


@pytest.mark.parametrize("named", [None, together.Named("lab:causal")])
def test_what_only_this_process_holds_is_answered_here(named: together.Named | None) -> None:
    model = tiny.model("gpt2")
    assert isinstance(model, CausalModel)
    model.named = named
    handle = model.module.register_forward_hook(lambda *_: None)  # whose effect the others lack
    try:
        found = together.Team(2).answer(model, ITEMS)  # would raise: nothing is connected
    finally:
        handle.remove()
    assert len(found) == 36
