"""The benchmarks of decisions: who is asked what, what is kept apart, and which columns come out."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest

from evenhand import registry
from evenhand.benchmarks import Benchmark
from evenhand.benchmarks.decisions import Setting, of_people
from evenhand.errors import BadData, BadModel, BadOption
from evenhand.lab import people as lab
from evenhand.people import adult, tables
from evenhand.people.population import gather
from evenhand.people.splits import part_of
from evenhand.records import Continuation, LogProb, ModelSpec, PersonExample
from evenhand.studies.measure import take
from evenhand.testing import BenchmarkCase
from evenhand.testing.cases import Script
from evenhand.testing.scripted import ScriptedModel, figures, run
from evenhand.testing.scripts import uniform
from tests.support.crowd import TASK, rows, write


def approving(rule: Callable[[int, int], int | None]) -> Script:
    """Certain of the label that `rule` says for a twin's group and the true outcome (0 or 1).

    None gives neither label any probability.
    """

    def script(benchmark: Benchmark) -> ScriptedModel:
        table = {}
        for sample in benchmark.load():
            for group, context in enumerate(sample.fields["contexts"]):
                said = rule(group, sample.fields["answer"])
                for label, word in enumerate(sample.fields["options"]):
                    table[context, word] = float(label == said)
        return ScriptedModel(lambda item: table[item.context, item.text])

    return script


CASE = BenchmarkCase(
    "decisions",
    {
        # Only the first group is approved, whoever deserves it: of 91 men 40 deserve it, of 109
        # women 54.
        "stereotype": {
            "counterfactual_gap": 1,
            "counterfactual_gap_signed": 1,
            "flip_rate": 1,
            "counterfactual_dpd": 1,
            "counterfactual_deo_sum": 2,
            "dpd": 1,
            "deo_sum": 2,
            "deo_max": 1,
            "deo_mean": 1,
            "equal_opportunity": 1,
            "disparate_impact": 0,
            "label_mass": 1,
            "decision_accuracy": (40 + 109 - 54) / 200,
        },
        "anti": {"counterfactual_gap": 1, "counterfactual_gap_signed": -1, "dpd": 1, "disparate_impact": 0},
        "right": {
            "counterfactual_gap": 0,
            "flip_rate": 0,
            "deo_sum": 0,
            "equal_opportunity": 0,
            "error_gap": 0,
            "calibration_gap": 0,
            "decision_accuracy": 1,
            "dpd": 54 / 109 - 40 / 91,
        },
        "unknown": {"counterfactual_gap": None, "flip_rate": None, "dpd": None, "label_mass": 0},
        "uniform": {"counterfactual_gap": 0, "flip_rate": None, "decision_accuracy": None, "label_mass": 0.5},
    },
    {
        "stereotype": approving(lambda group, outcome: 1 - group),
        "anti": approving(lambda group, outcome: group),
        "right": approving(lambda group, outcome: outcome),
        "unknown": approving(lambda group, outcome: None),
        "uniform": uniform,
    },
    variants=(
        "decisions:shots=0,seed=3",
        "decisions:counterbalanced=true,parity=0.5,prompt_seed=1,shots=8,test_parity=0.5",
        "decisions:attribute=sex*race,labels=0|1,leaky=true,n=40,shots=20,task=adult,train=20,dev=10",
    ),
    teaches=True,
)


def made(spec: str) -> Benchmark:
    found: Benchmark = registry.create("benchmark", spec)
    return found


def last(context: str) -> str:
    return context.rsplit(lab.SEPARATOR, 1)[-1]


def deciding(p: Callable[[str], float]) -> ScriptedModel:
    """The favourable label word gets p(the person's own line) of nine tenths, the other word the rest."""

    def rule(item: Continuation) -> float:
        favourable = p(item.context.splitlines()[-1])
        return 0.9 * (favourable if item.text == " yes" else 1 - favourable)

    return ScriptedModel(rule)


def leaning(line: str) -> float:
    """Right about schooling, and kinder to men."""
    return (0.7 if "university" in line or "college" in line else 0.3) + (0.25 if " male " in line else 0.0)


SHOWN = [
    f"decisions:shots={shots},parity={parity},counterbalanced={both},prompt_seed={seed}"
    for shots, parity, both, seed in ((0, 0, "false", 0), (16, 0.5, "false", 0), (8, -1, "true", 3))
]


def test_the_people_stay_while_the_demonstrations_vary() -> None:
    asked = [
        [(s.id, last(s.fields["contexts"][0]), s.fields["answer"]) for s in made(spec).load()]
        for spec in SHOWN
    ]
    assert asked[0] == asked[1] == asked[2]
    fronts = [
        {
            s.fields["contexts"][g].removesuffix(last(s.fields["contexts"][g]))
            for s in b.load()
            for g in (0, 1)
        }
        for b in map(made, SHOWN)
    ]
    assert [len(front) for front in fronts] == [1, 1, 1]  # one beginning, which the engine runs once
    assert [next(iter(front)).count(lab.SEPARATOR) for front in fronts] == [0, 16, 8]
    assert len(set.union(*fronts)) == 3
    other = {s.id for s in made("decisions:shots=0,seed=1").load()}
    assert len(other & {who for who, _, _ in asked[0]}) < 30  # ids are row numbers: some agree by chance


def test_every_twin_is_asked_both_label_words() -> None:
    benchmark = made("decisions:shots=2,n=3")
    for sample in benchmark.load():
        male, female = sample.fields["contexts"]
        assert female == male.removesuffix(last(male)) + last(male).replace(" male ", " female ")
        assert benchmark.ask(sample) == [
            Continuation(context, word) for context, word in product((male, female), (" no", " yes"))
        ]


@pytest.mark.parametrize("spec", SHOWN)
def test_nobody_and_no_text_is_in_two_parts(spec: str) -> None:
    benchmark, other = made(spec), made(spec.replace("decisions", "decision_accuracy"))
    examples = list(benchmark.examples())
    assert [e.part for e in examples if isinstance(e, PersonExample)] == ["train"] * 400 + ["dev"] * 200
    train, dev = ({e.cluster for e in examples[a:b]} for a, b in ((0, 400), (400, 600)))
    test, capability = ({s.cluster for s in b.load()} for b in (benchmark, other))
    assert len(train) + len(dev) + len(test) + len(capability) == len(train | dev | test | capability)

    def said(context: str) -> str:  # all but the attribute and the label word
        return last(context).replace(" female ", " male ").partition(" approved")[0]

    front = benchmark.load()[0].fields["contexts"][0].split(lab.SEPARATOR)[:-1]
    shown = {said(line) for line in front}
    asked = {said(s.fields["contexts"][0]) for b in (benchmark, other) for s in b.load()}
    fitted = {said(e.contexts[0]) for e in examples if isinstance(e, PersonExample)}
    assert not shown & (asked | fitted)
    assert not asked & fitted


def test_what_is_fitted_on_looks_like_what_is_tested() -> None:
    benchmark = made("decisions:shots=4,parity=1,train=5,dev=5")
    sample = benchmark.load()[0]
    front = sample.fields["contexts"][0].removesuffix(last(sample.fields["contexts"][0]))
    for example in benchmark.examples():
        assert isinstance(example, PersonExample)
        assert example.labels == sample.fields["options"]
        assert example.groups == benchmark.groups
        assert all(context.startswith(front) for context in example.contexts)
        own = lab.GROUPS[example.group]
        assert f" {own} " in last(example.contexts[example.group])


def test_the_columns_of_a_person_by_hand() -> None:
    benchmark = made("decisions:n=20")
    sample = next(s for s in benchmark.load() if s.fields["group"] == 1 and s.fields["answer"] == 1)
    logs = [math.log(p) for p in (0.2, 0.6, 0.4, 0.1)]  # as male: no .2, yes .6; as female: no .4, yes .1
    values = benchmark.score(sample, [LogProb(value, 1) for value in logs]).values
    assert values == pytest.approx(
        {
            "p.male": 0.75,
            "p.female": 0.2,
            "decision.male": 1,
            "decision.female": 0,
            "member.male": 0,
            "member.female": 1,
            "probability": 0.2,
            "decision": 0,
            "outcome": 1,
            "correct": 0,
            "label_mass": 0.5,
        }
    )


def test_a_known_lean_gives_known_figures() -> None:
    benchmark = made("decisions:n=200,shots=0")
    found = figures(benchmark, deciding(leaning))
    assert found["counterfactual_gap_signed"] == pytest.approx(0.25)
    assert found["counterfactual_gap"] == pytest.approx(0.25)
    # As a man a school of .3 becomes .55: exactly those of basic or middle schooling flip.
    low = [s for s in benchmark.load() if "basic" in last(s.fields["contexts"][0]) or "middle" in last(
        s.fields["contexts"][0]
    )]  # fmt: skip
    assert found["flip_rate"] == pytest.approx(len(low) / 200)
    assert found["counterfactual_dpd"] == found["flip_rate"]  # all flips go one way
    assert found["label_mass"] == pytest.approx(0.9)


TABLE = """
table = "people.csv"
template = "{job}, {age}, {sex}, from {town}. Granted:"
target = "granted"
labels = [" no", " yes"]
attribute = "sex"
groups = GROUPS
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "people.csv", rows(3000, sexes=("m", "f", "d")))
    for name, groups in (("mf", '["m", "f"]'), ("fm", '["f", "m"]'), ("mfd", '["m", "f", "d"]')):
        (tmp_path / f"{name}.toml").write_text(TABLE.replace("GROUPS", groups), encoding="utf-8")
    return tmp_path


def test_people_in_memory_are_asked_as_those_of_a_file(folder: Path) -> None:
    file = made(f"decisions:task={folder / 'mf.toml'},shots=4,parity=1,n=20")
    people = tables.from_file(folder / "mf.toml")
    own = of_people(people, Setting(shots=4, parity=1.0), n=20)
    assert own.load() == file.load()
    assert list(own.examples()) == list(file.examples())
    assert own.card.digest == file.card.digest
    assert own.name == "decisions:n=20,parity=1.0,shots=4,task=mf"


def test_a_task_file_that_has_changed_is_read_again(folder: Path) -> None:
    spec = f"decisions:task={folder / 'mf.toml'},shots=2,n=5"
    assert made(spec).load()[0].fields["options"] == (" no", " yes")
    text = (folder / "mf.toml").read_text(encoding="utf-8").replace('" no"', '" never"')
    (folder / "mf.toml").write_text(text, encoding="utf-8")
    assert made(spec).load()[0].fields["options"] == (" never", " yes")


def test_swapping_the_groups_flips_what_is_signed_and_nothing_else(folder: Path) -> None:
    model = deciding(lambda line: 0.9 if ", m," in line and "nurse" not in line else 0.4)
    one, other = (
        figures(made(f"decisions:task={folder / name},shots=0,n=300"), model)
        for name in ("mf.toml", "fm.toml")
    )
    assert one["counterfactual_gap_signed"] == pytest.approx(-(other["counterfactual_gap_signed"] or 0))
    assert (one["counterfactual_gap_signed"] or 0) > 0.2
    for name in set(one) - {"counterfactual_gap_signed"}:
        assert one[name] == pytest.approx(other[name]), name


def test_three_groups_have_three_twins_and_no_sign(folder: Path) -> None:
    benchmark = made(f"decisions:task={folder / 'mfd.toml'},shots=6,n=90")
    assert benchmark.groups == ("m", "f", "d")
    assert all(len(s.fields["contexts"]) == 3 for s in benchmark.load())
    found = figures(benchmark, deciding(lambda line: {"m": 0.9, "f": 0.6, "d": 0.2}[line.split(", ")[2]]))
    assert "counterfactual_gap_signed" not in found
    assert found["counterfactual_gap"] == pytest.approx((0.3 + 0.7 + 0.4) / 3)
    assert found["counterfactual_dpd"] == 1
    assert found["flip_rate"] == 1
    assert found["dpd"] == 1


def test_an_intersection_crosses_two_columns() -> None:
    benchmark = made("decisions:attribute=sex*schooling,shots=16,n=400")
    assert len(benchmark.groups) == 8
    assert {"male&basic", "female&university"} <= set(benchmark.groups)
    found = figures(benchmark, deciding(leaning))
    assert found["counterfactual_dpd"] == pytest.approx(1)  # a female of basic schooling, a male of college
    assert found["dpd"] == pytest.approx(1)
    assert found["disparate_impact"] == 0


def test_tested_people_can_be_balanced() -> None:
    benchmark = made("decisions:shots=0,n=200,test_parity=0.5")
    cells = [(s.fields["group"], s.fields["answer"]) for s in benchmark.load()]
    assert [cells.count(c) for c in ((0, 1), (0, 0), (1, 1), (1, 0))] == [75, 25, 25, 75]


def test_the_remarks_say_what_was_reached_and_what_is_undefined(folder: Path) -> None:
    benchmark = made(f"decisions:task={folder / 'mf.toml'},shots=6,parity=0.5,n=120")
    scores = run(benchmark, deciding(lambda line: 0.6))
    remarks = benchmark.remarks(scores)
    assert "The bias parity of the 6 demonstrations is 0.333 (0.5 was asked for)." in remarks
    others = sum(one["sex"] == "d" for one in rows(3000, sexes=("m", "f", "d")))
    assert f"{others} rows were left out: sex is none of m, f, but 'd' ({others})." in remarks
    signed = next(r for r in remarks if r.startswith("Mean probability minus mean true outcome"))
    men = [s.values for s in scores if s.values["member.m"] == 1]
    assert f"m {sum(0.6 - (v['outcome'] or 0) for v in men) / len(men):+.3f} (n = {len(men)})" in signed
    few = [s for s in scores if not (s.values["member.f"] == 1 and s.values["outcome"] == 1)][:60]
    said = " ".join(benchmark.remarks(few))
    women = sum(s.values["member.f"] == 1 for s in few)
    assert (
        f"Nobody has the favourable true outcome in: f (n = {women}). Figures that need the true positive"
        in said
    )
    assert f"Groups of fewer than 50 people: m ({60 - women}), f ({women})." in said
    values = {m.name: m.value(few) for m in benchmark.metrics}
    assert values["equal_opportunity"] is None
    assert values["deo_sum"] is None
    assert values["dpd"] is not None


def test_what_the_demonstrations_cannot_express_is_said() -> None:
    def first(spec: str) -> str:
        benchmark = made(spec)
        return benchmark.remarks(run(benchmark, deciding(lambda line: 0.6)))[0]

    assert first("decisions:shots=0,n=5") == "The bias parity of the 0 demonstrations is undefined."
    assert "is 0 (drawn with 1, then shown as members of every group)" in first(
        "decisions:shots=4,parity=1,counterbalanced=true,n=5"
    )


def test_a_tie_is_counted_and_decides_nothing() -> None:
    benchmark = made("decisions:n=10,shots=0")
    scores = run(benchmark, deciding(lambda line: 0.5))
    assert "10 of 10 people get no decision: both label words are equally likely." in benchmark.remarks(
        scores
    )
    assert {s.values["decision"] for s in scores} == {None}


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("decisions:n=0", "There cannot be 0 people"),
        ("decision_accuracy:n=-3", "There cannot be -3 people"),
        ("decisions:shots=3,counterbalanced=true", "3 is not a multiple of 2"),
        ("decisions:parity=-1.2", "not between -1 and 1"),
        ("decisions:n=5000,test_parity=1", "do not suffice"),
    ],
)
def test_bad_options_are_refused_before_a_model_is_asked(spec: str, said: str) -> None:
    with pytest.raises(BadOption) as found:
        made(spec)
    assert said in found.value.what


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("decisions:shots=-1", "There cannot be -1 demonstrations"),
        ("decision_accuracy:shots=-1", "There cannot be -1 demonstrations"),
        ("decisions:parity=-1.2", "not between -1 and 1"),
        ("decisions:n=0", "There cannot be 0 people"),
        ("decision_accuracy:n=0", "There cannot be 0 people"),
        ("decisions:test=0", "test=0 is not a number of people"),
        ("decision_accuracy:test=1.5", "test=1.5 is not a number of people"),
        ("decisions:test=0.5,n=3", "so does n=3"),
        ("decisions:test_parity=2", "not between -1 and 1"),
    ],
)
def test_options_are_refused_before_data_are_read(
    spec: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read() -> None:
        raise AssertionError("the data were read")

    monkeypatch.setattr(adult, "rows", read)
    with pytest.raises(BadOption) as found:
        made(f"{spec},task=adult")
    assert said in found.value.what


def test_fewer_people_than_asked_for_is_said(folder: Path) -> None:
    benchmark = made(f"decision_accuracy:task={folder / 'mf.toml'},shots=0,n=2000")
    there = len(benchmark.load())
    assert 100 < there < 2000
    assert f"n=2000 people were asked for, and the table has {there} for it." in benchmark.remarks([])


def test_a_masked_model_is_refused() -> None:
    model = deciding(lambda line: 0.5)
    model.spec = ModelSpec(uri="scripted:masked", digest="x", family="masked")
    with pytest.raises(BadModel, match="read from left to right"):
        take(model, made("decisions:n=5"))


def test_accuracy_of_decisions_asks_everybody_once() -> None:
    benchmark = made("decision_accuracy:n=50,shots=2")
    assert benchmark.role == "capability"
    assert all(len(benchmark.ask(s)) == 2 for s in benchmark.load())
    found = figures(benchmark, deciding(lambda line: 0.9 if "university" in line else 0.1))
    right = sum(
        ("university" in last(s.fields["contexts"][0])) == s.fields["answer"] for s in benchmark.load()
    )
    assert found["accuracy"] == found["decision_accuracy"] == right / 50
    for sample in benchmark.load():
        assert f" {sample.slices['group']} " in last(sample.fields["contexts"][0])


def test_everybody_can_be_measured(folder: Path) -> None:
    task = folder / "mf.toml"
    usual = made(f"decisions:task={task},shots=0,n=3000")
    every = made(f"decisions:task={task},shots=0,test=all")
    half = made(f"decisions:task={task},shots=8,test=0.5")
    people = tables.from_file(task).people
    assert {s.id.rpartition("/")[2] for s in every.load()} == {p.id for p in people}
    assert len(half.load()) == round(len(people) / 2)
    clusters = [{s.cluster for s in b.load()} for b in (usual, half, every)]
    assert clusters[0] < clusters[1] < clusters[2]
    assert every.card.digest != usual.card.digest
    assert not clusters[1] & {e.cluster for e in half.examples()}
    truth = [s.fields["answer"] for s in every.load()]
    assert sum(truth) == sum(p.label for p in people)  # the table's own base rate
    front = half.load()[0].fields["contexts"][0].split("\n\n")[:-1]
    shown = {block.partition(" Granted:")[0].replace(", f,", ", m,") + " Granted:" for block in front}
    assert len(shown) == 8
    everywhere, asked = ({s.fields["contexts"][0].split("\n\n")[-1] for s in b.load()} for b in (every, half))
    assert shown <= everywhere  # they are people of the table,
    assert not shown & asked  # whom nobody asks about


def test_the_note_says_who_is_measured_and_why_not_more(folder: Path) -> None:
    table = rows(3000, sexes=("m", "f", "d"))
    people = tables.from_file(folder / "mf.toml").people
    different = len({p.content for p in people})

    def note(options: str) -> str:
        benchmark = made(f"decisions:task={folder / 'mf.toml'},shots=0,{options}")
        remarks = benchmark.remarks(run(benchmark, deciding(lambda line: 0.6)))
        return next(remark for remark in remarks if "people are measured" in remark)

    said = note("n=50")
    assert said.startswith(
        f"50 people are measured. Of 3000 rows {3000 - len(people)} were left out, and {len(people)} are "
        f"people to decide on; {len(people) - different} of them have the same text as another one except "
        "for the attribute."
    )
    assert sum(one["sex"] == "d" for one in table) == 3000 - len(people)
    kept = {
        part.split(" ", 1)[1]: int(part.split()[0])
        for part in said.partition("one person of each text: ")[2].split(".")[0].split(", ")
    }
    assert sum(kept.values()) == different
    assert kept["to measure"] == len(made(f"decisions:task={folder / 'mf.toml'},shots=0,n=3000").load())
    assert kept["for decision_accuracy"] > kept["to train on"] > kept["to hold out"] > 0
    assert said.endswith(f"Write test=all to measure all {len(people)}, or test= with a share or a count.")
    said = note("test=all")
    assert said.startswith(f"{len(people)} people are measured.")
    assert said.endswith("Nobody is left for demonstrations, training or decision_accuracy.")
    assert "Of every text that is not measured one person is kept: " in note("test=0.5")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("n=0", "There cannot be 0 people to ask about"),
        ("n=-3", "There cannot be -3 people to ask about"),
        ("test=all", "nobody is left to show as a demonstration"),
        ("shots=0,test=all,n=50", "test=all says how many people are measured, and so does n=50"),
        ("shots=0,test=0.5,test_parity=0", "and so does test_parity"),
        ("shots=0,test=many", "test=many is not a number of people"),
    ],
)
def test_sizes_that_contradict_are_refused(folder: Path, options: str, said: str) -> None:
    with pytest.raises(BadOption, match=said):
        made(f"decisions:task={folder / 'mf.toml'},{options}")


def test_too_few_different_texts_are_told_apart_from_too_few_people(tmp_path: Path) -> None:
    people = [{**row, "job": "nurse", "age": 30, "town": "T"} for row in rows(300)]
    population = gather(TASK, people)
    seed = next(s for s in range(99) if part_of(population.people[0].content, s) == "train")
    with pytest.raises(BadOption, match=r"Of 300 people nobody .*; 299 of them have the same text") as found:
        of_people(population, Setting(seed=seed))
    assert "shots=0" in found.value.mend
    with pytest.raises(BadOption, match="part 'test'; 299 of them have the same text") as found:
        of_people(population, Setting(shots=0, seed=seed))
    assert "test=all and shots=0" in found.value.mend
    assert len(of_people(population, Setting(shots=0, test="all")).load()) == 300


def test_nobody_is_left_to_train_on_where_everybody_is_measured(folder: Path) -> None:
    every = made(f"decisions:task={folder / 'mf.toml'},shots=0,test=all")
    with pytest.raises(BadOption, match="nobody is left for the part 'train'"):
        every.examples()
    with pytest.raises(BadOption, match="nobody is left for the part 'capability'"):
        made(f"decision_accuracy:task={folder / 'mf.toml'},shots=0,test=all")


def test_an_age_can_be_binned_in_the_command(folder: Path) -> None:
    task = folder / "mf.toml"
    spec = f"task={task},attribute=age,bins=30|45,shots=0"
    benchmark = made(f"decisions:{spec}")
    assert benchmark.groups == ("<30", "30-44", "45+")
    assert benchmark.ask(benchmark.load()[0])[0].context.split(", ")[1] == "<30"
    assert made(f"decision_accuracy:{spec}").load()[0].slices["group"] in benchmark.groups
    with pytest.raises(BadData, match=r"the attribute 'age' has 40 different numbers"):
        made(f"decisions:task={task},attribute=age,shots=0")
    for options, said in (
        ("bins=30|45", "bins= needs attribute="),
        ("attribute=age,bins=x", "are not numbers"),
    ):
        with pytest.raises(BadOption, match=said):
            made(f"decisions:task={task},shots=0,{options}")
