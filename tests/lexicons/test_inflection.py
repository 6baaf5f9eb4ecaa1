"""Inflected forms: a German attribute whose hints agree with their noun, terms in a case, and what can be
wrong.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from evenhand import registry
from evenhand.errors import BadData, BadOption
from evenhand.lexicons import Attribute, attribute
from evenhand.lexicons._inflection import fill, hint_forms, slots, split_term
from evenhand.studies.measure import take
from evenhand.testing import tiny

GERMAN = """name = "geschlecht"
title = "Geschlecht eines Pronomens"
frame = "Die Fachkraft ({profession}: {action}) ging, weil"
source = "test"
language = "de"
anchors = ["Die Fachkraft ({profession}: {action}) nahm {hint:accusative_feminine} Tasche, weil"]

[hints]
tasche = "Die Fachkraft ({profession}) nahm {hint:accusative_feminine} Tasche und ging, weil"
mantel = "Die Fachkraft ({profession}) nahm {hint:accusative_masculine} Mantel und ging, weil"
buch = "Die Fachkraft ({profession}) legte {possessive} Buch auf den Tisch, weil"

[[groups]]
name = "er"
terms = ["er"]
possessive = "sein"
forms = {accusative_masculine = "seinen", accusative_feminine = "seine", dative = ["ihm", "dem Mann"]}

[[groups]]
name = "sie"
terms = ["sie"]
possessive = "ihr"
forms = {accusative_masculine = "ihren", accusative_feminine = "ihre", dative = ["ihr", "der Frau"]}
"""
DATIVE = (
    GERMAN.replace("ging, weil", "gehörte; man vertraute {term:dative}", 1)
    .replace('terms = ["er"]\n', "")
    .replace('terms = ["sie"]\n', "")
)


def written(folder: Path, text: str) -> str:
    path = folder / "own.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def problems(folder: Path, text: str) -> str:
    with pytest.raises(BadData) as caught:
        attribute(written(folder, text))
    return caught.value.what


def test_a_file_may_give_forms_and_the_sentences_that_take_them(tmp_path: Path) -> None:
    about = attribute(written(tmp_path, GERMAN))
    his, her = about.groups
    assert [group.terms for group in about.groups] == [(" er",), (" sie",)]
    assert (his.possessive, her.possessive) == ("sein", "ihr")
    tasche, mantel, buch = (text for _, text in about.hints)
    assert his.fill(tasche, profession="nurse") == "Die Fachkraft (nurse) nahm seine Tasche und ging, weil"
    assert her.fill(mantel, profession="nurse") == "Die Fachkraft (nurse) nahm ihren Mantel und ging, weil"
    assert his.fill(buch, profession="nurse") == "Die Fachkraft (nurse) legte sein Buch auf den Tisch, weil"


def test_hints_agree_with_their_noun_in_genhinteval(tmp_path: Path) -> None:
    benchmark = registry.create(
        "benchmark", f"genhinteval:attribute={written(tmp_path, GERMAN)},form=paired1572"
    )
    contexts = {s.id: s.fields["context"] for s in benchmark.load()}
    assert len(contexts) == 262 * 3 * 2
    at = "genhinteval/geschlecht/nurse"
    assert contexts[f"{at}/mantel/er"] == "Die Fachkraft (nurse) nahm seinen Mantel und ging, weil"
    assert contexts[f"{at}/tasche/sie"] == "Die Fachkraft (nurse) nahm ihre Tasche und ging, weil"
    assert contexts[f"{at}/buch/sie"] == "Die Fachkraft (nurse) legte ihr Buch auf den Tisch, weil"
    assert [r.text for r in benchmark.ask(benchmark.load()[0])] == [" er", " sie"]


def test_a_tiny_model_is_measured(tmp_path: Path) -> None:
    path = written(tmp_path, GERMAN)
    model = tiny.model("llama", max_position_embeddings=256)
    specs = [f"genbiaseval:attribute={path}", f"genhinteval:attribute={path}"]
    bias, hints = (take(model, registry.create("benchmark", spec), limit=40) for spec in specs)
    for taken, metric in ((bias, "afgb"), (hints, "ub")):
        value = taken.metrics[metric].value
        assert value is not None
        assert -1 <= value <= 1


def test_anchors_are_the_files_own_or_none(tmp_path: Path) -> None:
    spec = f"genbiaseval:attribute={written(tmp_path, GERMAN)}"
    anchors = registry.create("benchmark", spec).anchors()
    assert len(anchors) == 943
    assert {anchor.context.split(") ")[1] for anchor in anchors} == {
        "nahm seine Tasche, weil",
        "nahm ihre Tasche, weil",
    }
    without = GERMAN.replace(GERMAN[GERMAN.index("anchors") : GERMAN.index("[hints]")], "")
    spec = f"genbiaseval:attribute={written(tmp_path, without)}"
    assert registry.create("benchmark", spec).anchors() == ()  # never an English sentence with German words


def test_terms_may_stand_in_a_case(tmp_path: Path) -> None:
    about = attribute(written(tmp_path, DATIVE))
    assert about.frame.endswith("man vertraute")
    assert [group.terms for group in about.groups] == [(" ihm", " dem Mann"), (" ihr", " der Frau")]


def test_axes_of_an_intersection_have_the_form_as_well(tmp_path: Path) -> None:
    def axis(name: str, *groups: tuple[str, str]) -> str:
        tables = (
            f'[[{name}]]\nname = "{text.lower()}"\nforms = {{plural = "{text}"}}\n' for _, text in groups
        )
        return "".join(tables)

    head = 'name = "x"\nframe = "{profession} {action} unter {term:plural}"\ncrosses = ["age", "kind"]\n'
    kinds = axis("kind", ("", "Frauen"), ("", "Leute"))
    about = attribute(written(tmp_path, head + axis("age", ("", "alten"), ("", "jungen")) + kinds))
    assert [group.terms for group in about.groups][:2] == [(" alten Frauen",), (" alten Leute",)]
    assert "the axis 'age' has no [[age]] tables with the form 'plural'" in problems(tmp_path, head + kinds)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("{hint:accusative_feminine} Tasche und", "{hint:akkusativ} Tasche und",
         "[[groups]] 1: a hint or an anchor takes the form 'akkusativ', and the group has "
         "accusative_masculine, accusative_feminine, dative, possessive"),
        ("ihren", "ihren\", genitive = \"ihrer", ""),
        ('accusative_feminine = "ihre", ', "",
         "[[groups]] 2: a hint or an anchor takes the form 'accusative_feminine', and the group has "
         "accusative_masculine, dative, possessive only (did you mean 'accusative_masculine'?)"),
        ('possessive = "ihr"\n', "", "[[groups]] 2: a hint or an anchor takes the form 'possessive'"),
        ('"seinen"', "7", "[[groups]] 1: the form accusative_masculine is 7, not a text or a list of texts"),
        ('{accusative_masculine = "ihren"', '{"Akk." = "ihren"',
         "the form 'Akk.' may hold a-z, 0-9 and _ only"),
        ('dative = ["ihm"', 'possessive = ["ihm"', "[[groups]] 1: possessive is given twice"),
        ("ging, weil", "nahm {hint} Hut, weil", "the frame has a {hint}, which states the group"),
        ("ging, weil", "gab {term:dative} Geld, weil",
         "the frame has a slot {term} that is not {term:KEY} at the end"),
        ("ging, weil", "vertraute {term:dative}", "[[groups]] 1: both terms and the form 'dative'"),
        ("legte {possessive} Buch", "legte das Buch", "the hint 'buch' lacks {hint}"),
        ("({profession}) nahm {hint:accusative_feminine}", "nahm {hint:accusative_feminine}",
         "the hint 'tasche' lacks {profession}"),
        ("({profession}: {action}) nahm", "({profession}) nahm", "the anchor 1 lacks {action}"),
        ("{possessive} Buch", "{possessive Buch", "the hint 'buch' has a brace"),
        ('language = "de"', "language = 7", "language is 7, not a text"),
        ('buch = "', '"Das Buch" = "', "the name 'Das Buch' in [hints] may hold a-z, 0-9 and _ only"),
    ],
)  # fmt: skip
def test_what_can_be_wrong(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in GERMAN
    text = GERMAN.replace(old, new, 1)
    if said:
        assert said in problems(tmp_path, text)
    else:
        assert isinstance(attribute(written(tmp_path, text)), Attribute)


def test_a_form_that_the_frame_takes_and_a_group_lacks(tmp_path: Path) -> None:
    found = problems(tmp_path, DATIVE.replace('dative = ["ihr", "der Frau"]', 'datif = "ihr"'))
    assert "[[groups]] 2: the frame takes the form 'dative', and the group has" in found
    assert "(did you mean 'datif'?)" in found


def test_english_files_without_forms_are_as_before(tmp_path: Path) -> None:
    gender = attribute("gender")
    assert [group.forms for group in gender.groups] == [
        (("subject", ("he",)), ("possessive", ("his",))),
        (("subject", ("she",)), ("possessive", ("her",))),
    ]
    assert gender.hints == gender.anchors == ()
    assert not attribute("race").has_forms(["{profession} took {hint} coat"])
    with pytest.raises(
        BadOption, match="takes the form 'possessive' of the group 'black', which has no forms"
    ):
        attribute("race").groups[0].fill("{profession} took {hint} coat", profession="nurse")


def test_gendered_words_are_looked_for_in_english_alone(tmp_path: Path) -> None:
    text = GERMAN.replace("legte {possessive}", "legte man {possessive}")
    assert attribute(written(tmp_path, text)).name == "geschlecht"
    found = problems(tmp_path, text.replace('language = "de"\n', ""))
    assert "legte man {possessive} Buch auf den Tisch, weil' has a gendered word beside its hint" in found


def test_slots_of_a_frame() -> None:
    assert slots("a {profession} {{x}} {possessive} {hint} {hint:dative}") == [
        ("profession", ""), ("hint", "possessive"), ("hint", "possessive"), ("hint", "dative"),
    ]  # fmt: skip
    assert hint_forms(["{hint} {hint:dative}", "{possessive}"]) == ["possessive", "dative"]
    assert split_term("to {term:dative} ") == ("to", "dative")
    assert split_term("{profession} is") == ("{profession} is", "")
    assert fill("{{x}} {profession}", {"profession": "nurse"}) == "{x} nurse"
