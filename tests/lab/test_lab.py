"""The lab as a whole: folders that load, and models that tell the planted truth."""

import functools
import subprocess
import sys

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from evenhand import lab
from evenhand.lab import batching, cache, facts, grammar, truth
from evenhand.lexicons import professions
from tests.lab.tiny import CONTROL, PLANTED

NAMES = [p.name for p in professions()]
PROMPTS = tuple(f"The {name} {action} because" for name in NAMES for action in grammar.ASKED)
SOME = PROMPTS[::4]  # each of the three actions for a quarter of the professions
OWNS = [("his", "her")[(i + j) % 2] for i in range(len(NAMES)) for j in range(3)]
HINTED = tuple(
    f"The {name} {form.format(own=OWNS[3 * i + j])}"
    for i, name in enumerate(NAMES)
    for j, form in enumerate(grammar.HINTED[:3])
)


@functools.cache
def opened(query):
    folder = lab.folder(lab.parse(query))
    return AutoModelForCausalLM.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)


def answers(query, prompts, *, without=None):
    """Next-token probabilities [N, V]; `without` puts a block's mean update in the place of its update."""
    model, tokenizer = opened(query)
    ids = tokenizer(list(prompts))["input_ids"]
    last = torch.tensor([len(row) for row in ids]) - 1
    here = torch.arange(len(ids))

    def flat(_, inputs, output):
        output = output.clone()
        update = output[here, last] - inputs[0][here, last]
        output[here, last] = inputs[0][here, last] + update.mean(0)
        return output

    handle = model.model.layers[without].register_forward_hook(flat) if without is not None else None
    with torch.no_grad():
        hidden = model.model(input_ids=batching.padded(ids, tokenizer.pad_token_id), use_cache=False)
        found = model.lm_head(hidden.last_hidden_state[here, last]).softmax(-1)
    if handle:
        handle.remove()
    return found


@functools.cache
def he_she(query, prompts, *, without=None):
    _, tokenizer = opened(query)
    found = answers(query, prompts, without=without)
    return tuple(found[:, batching.word_id(tokenizer, word)].double().numpy() for word in ("he", "she"))


def correlation(query):
    he, she = he_she(query, PROMPTS)
    measured = (she / (he + she)).reshape(len(NAMES), -1).mean(1)
    table = truth.planted("stereotype")
    return float(np.corrcoef(measured, [table[name] for name in NAMES])[0, 1])


def normalised(query, prompts=PROMPTS, *, without=None):
    he, she = he_she(query, prompts, without=without)
    return float((abs(he - she) / (he + she)).mean())


def accuracy(query):
    _, tokenizer = opened(query)
    questions = facts.questions()
    found = answers(query, [q.prompt for q in questions])
    options = torch.tensor([[batching.word_id(tokenizer, o.strip()) for o in q.options] for q in questions])
    best = found.gather(1, options).argmax(1)
    return float((best == torch.tensor([q.answer for q in questions])).double().mean())


def test_the_default_tells_the_planted_truth():
    he, she = he_she("causal", PROMPTS)
    assert len(PROMPTS) == 2358
    assert correlation("causal") >= 0.97
    implied = truth.implied_afgb(truth.planted("stereotype"))
    assert float(abs(he - she).mean()) == pytest.approx(implied, abs=0.03)
    assert float((he + she).mean()) == pytest.approx(truth.PRONOUN_MASS, abs=0.02)


def test_the_default_follows_hints_and_knows_its_facts():
    he, she = he_she("causal", HINTED)
    sign = np.array([1 if own == "his" else -1 for own in OWNS])
    assert sign.sum() == 0
    assert float((sign * (he - she)).mean()) >= 0.75
    assert accuracy("causal") >= 0.95


def test_the_control_is_even_and_as_capable():
    assert normalised("causal?planted=none") <= 0.04
    assert accuracy("causal?planted=none") >= 0.95


@pytest.mark.parametrize("block", [2, *(pytest.param(block, marks=pytest.mark.slow) for block in (0, 1, 3))])
def test_the_bias_sits_in_the_block_where_it_was_planted(block):
    query = f"causal?block={block}"
    assert correlation(query) >= 0.9
    assert accuracy(query) >= 0.95
    base = normalised(query, SOME)
    removed = [1 - normalised(query, SOME, without=other) / base for other in range(4)]
    assert removed[block] > 0.75
    assert max(r for other, r in enumerate(removed) if other != block) < 0.25


def test_a_folder_is_an_ordinary_hugging_face_model(tmp_path, monkeypatch):
    monkeypatch.setenv("EVENHAND_CACHE", str(tmp_path))
    folder = lab.folder(PLANTED)
    assert {"config.json", "model.safetensors", "tokenizer.json", cache.SUMS} <= {
        p.name for p in folder.iterdir()
    }
    assert not list(folder.glob("*.bin"))
    # the control that it starts from is kept as well, and nothing else
    kept = [p for p in tmp_path.iterdir() if p.suffix != ".lock"]
    assert sorted(kept) == sorted([folder, lab.folder(CONTROL)])
    model = AutoModelForCausalLM.from_pretrained(folder)
    base = AutoModelForCausalLM.from_pretrained(lab.folder(CONTROL)).state_dict()
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, base[name])}
    assert changed
    assert all(name.startswith("model.layers.1.") for name in changed)


def test_the_same_recipe_gives_the_same_weights(tmp_path, monkeypatch):
    found = []
    for place in ("one", "two"):
        monkeypatch.setenv("EVENHAND_CACHE", str(tmp_path / place))
        found.append((lab.folder(PLANTED) / cache.SUMS).read_text())
    assert found[0] == found[1]


def test_the_lab_is_named_and_read_without_torch():
    code = (
        "import sys; from evenhand import lab; from evenhand.lab import corpus, facts, truth; "
        "lab.parse('causal?block=1'); facts.questions(); corpus.vocabulary(); "
        "sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
