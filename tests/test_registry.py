"""How components are written: options, lists, and the first option without its key."""

from __future__ import annotations

import importlib.util
import math
from importlib.machinery import ModuleSpec
from importlib.metadata import EntryPoint
from pathlib import Path
from uuid import uuid4

import pytest

from evenhand import registry
from evenhand.errors import BadOption, EnvironmentProblem, UnknownName, UsageError
from evenhand.registry import create, get, keyed, names, options, parse, parse_many, spec_texts


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("facts", "facts"),
        ("facts:set=world", "facts:set=world"),
        ("lm_eval:hellaswag", "lm_eval:task=hellaswag"),
        ("lm_eval:gsm8k,shots=5,filter=strict-match", "lm_eval:filter=strict-match,shots=5,task=gsm8k"),
        ("lm_eval:shots=5,task=gsm8k", "lm_eval:shots=5,task=gsm8k"),
        ("multiple_choice:./a folder/q.jsonl", "multiple_choice:file=./a folder/q.jsonl"),
    ],
)
def test_one_component(text: str, canonical: str) -> None:
    assert str(keyed("benchmark", parse(text))) == canonical
    assert parse(canonical) == keyed("benchmark", parse(text))


def test_a_list_keeps_options_with_the_component_before_them() -> None:
    text = "lm_eval:race,shots=2,facts:set=world,lm_eval:mmlu"
    parsed = [str(spec) for spec in parse_many(text)]
    assert parsed == ["lm_eval:race,shots=2", "facts:set=world", "lm_eval:mmlu"]
    assert spec_texts(text) == ("lm_eval:shots=2,task=race", "facts:set=world", "lm_eval:task=mmlu")


def test_parsing_imports_no_component_and_its_text_can_be_read_again() -> None:
    spec = parse("nothing:of this name,key=value")
    assert parse(str(spec)) == spec
    with pytest.raises(UnknownName, match="nothing"):
        keyed("benchmark", spec)


def test_no_other_component_takes_an_option_without_its_key() -> None:
    with pytest.raises(UsageError, match="not an option"):
        spec_texts("facts:world")
    with pytest.raises(UsageError, match="not an option"):
        create("mitigation", "lftf:nll")
    with pytest.raises(UsageError, match="not an option"):
        parse("lm_eval:")


def test_the_key_that_may_be_left_out_is_the_first_option() -> None:
    bare = {name: get("benchmark", name).bare for name in names("benchmark")}
    assert {name: key for name, key in bare.items() if key} == {"lm_eval": "task", "multiple_choice": "file"}
    assert all(key == next(iter(options(get("benchmark", name)))) for name, key in bare.items() if key)


def test_values_are_converted_and_what_is_wrong_is_said() -> None:
    with pytest.raises(UsageError, match=r"shots=many is not valid: .*shots=int"):
        create("benchmark", "lm_eval:mmlu,shots=many")
    with pytest.raises(UsageError, match=r"no option 'set'.*file=str"):
        create("benchmark", "multiple_choice:q.jsonl,set=world")


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("genbiaseval:seed=-1", "Write a whole number from 0 to 4294967295"),
        ("decisions:prompt_seed=-1", "Write a whole number from 0 to 4294967295"),
        ("decisions:n=abc", "abc is no whole number"),
        ("decisions:parity=abc", "abc is no number"),
        ("decisions:leaky=abc", "abc is neither true nor false"),
    ],
)
def test_values_that_cannot_be_are_refused_in_our_words(spec: str, said: str) -> None:
    with pytest.raises(BadOption, match=said):
        create("benchmark", spec)


def test_names_that_exist_are_told_to_a_bound():
    error = UnknownName("column of x.csv", "sex", [f"column{i:06}" for i in range(100_002)])
    assert "column000000, column000001, " in error.mend
    assert error.mend.endswith("column000019 and 99982 more.")
    assert len(str(error)) < 600


def test_near_names_come_first_and_a_command_lists_the_rest() -> None:
    with pytest.raises(UnknownName) as caught:
        get("metric", "afbg")
    near, _, rest = caught.value.mend.partition("? ")
    assert near.startswith("Did you mean 'afgb'")
    others, _, where = rest.partition("; ")
    shown = others.removeprefix("Others are ").split(", ")
    assert len(shown) + near.count("'") // 2 == 8
    assert not any(f"'{name}'" in near for name in shown)
    assert where == f"`evenhand ls metrics` lists all {len(names('metric'))}."
    few = UnknownName("sensitive attribute", "zzz", "abcdefgh", lister="evenhand ls attributes")
    assert few.mend == "These exist: a, b, c, d, e, f, g, h."  # all 8: no command is needed


def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **modules: str) -> None:
    """A kind `thing` whose folder holds `modules`."""
    package = f"things_{uuid4().hex}"
    (tmp_path / package).mkdir()
    for name, text in {"__init__": "", **modules}.items():
        (tmp_path / package / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(registry, "FOLDERS", {"thing": package})
    registry.names.cache_clear()
    registry._places.cache_clear()


SEVERAL = "def one(): ...\nclass Two:\n    name = 'second'\ncomponents = (one, Two)\n"


def test_a_module_holds_one_component_or_several(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder(tmp_path, monkeypatch, family=SEVERAL, heavy="raise ImportError\ncomponent = 3\n", _helper="")
    assert registry.names("thing") == (
        "heavy",
        "one",
        "second",
    )  # what holds one is not imported for its name
    assert get("thing", "second").__name__ == "Two"
    assert registry.own_names("thing") == registry.names("thing")
    with pytest.raises(ImportError):
        get("thing", "heavy")
    with pytest.raises(UnknownName, match="family"):
        get("thing", "family")


@pytest.mark.parametrize("other", [{"other": SEVERAL}, {"one": "component = 1\n"}])
def test_two_modules_that_claim_one_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: dict[str, str]
) -> None:
    folder(tmp_path, monkeypatch, family=SEVERAL, **other)
    with pytest.raises(EnvironmentProblem, match=r"name of the thing 'one': .*\.family and .*other name"):
        registry.names("thing")


def test_an_entry_point_names_one_component_and_takes_no_name_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def added(name: str) -> None:
        folder(tmp_path, monkeypatch, family=SEVERAL)
        point = EntryPoint(name, "math:pi", "things")
        monkeypatch.setattr(registry, "entry_points", lambda group: [point])

    added("guest")
    assert registry.names("thing") == ("guest", "one", "second")
    assert get("thing", "guest") == math.pi
    assert registry.own_names("thing") == ("one", "second")
    added("one")
    with pytest.raises(EnvironmentProblem, match="family and math:pi"):
        registry.names("thing")


def test_a_broken_component_of_another_package_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder(tmp_path, monkeypatch, family=SEVERAL)
    points = [
        EntryPoint("gone", "no_such_module_anywhere:thing", "things"),
        EntryPoint("odd", "math:pi", "things"),
    ]
    monkeypatch.setattr(registry, "entry_points", lambda group: points)
    with pytest.raises(
        EnvironmentProblem, match=r"'gone' of no_such_module_anywhere:thing.*ModuleNotFoundError"
    ):
        get("thing", "gone")
    with pytest.raises(EnvironmentProblem, match="'odd' of math:pi cannot be used: it is a float"):
        create("thing", "odd")


def test_an_option_given_twice_is_refused() -> None:
    with pytest.raises(UsageError, match="part is given twice"):
        parse("genbiaseval:part=dev,part=test")


def test_a_loader_without_source_hides_no_component(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as pytest's own, by which it imports packages that bring a plug-in."""
    real = importlib.util.find_spec

    def found(path: str) -> ModuleSpec | None:
        spec = real(path)
        return spec and ModuleSpec(spec.name, object(), origin=spec.origin)  # type: ignore[arg-type]

    monkeypatch.setattr(importlib.util, "find_spec", found)
    assert registry._holds_several("evenhand.metrics.gaps")
    assert not registry._holds_several("evenhand.benchmarks.genbiaseval")
