"""Attributes from a file of the user's: the documented layout, and every problem of a file at once."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from evenhand.errors import BadData, UnknownName
from evenhand.lexicons import Attribute, attribute

FRAME = 'frame = "The {profession} who {action} is"\n'
TWO = '[[groups]]\nname = "a"\nterms = ["tall"]\n[[groups]]\nname = "b"\nterms = ["short"]\n'
PLAIN = f'name = "height"\n{FRAME}{TWO}'
CROSSED = """name = "faith_gender"
frame = "The {profession} who {action} is one of the"
crosses = ["faith", "gender"]
[[faith]]
name = "sikh"
terms = ["Sikh"]
[[faith]]
name = "hindu"
terms = ["Hindu", "hindu"]
[[gender]]
name = "women"
terms = ["women"]
[[gender]]
name = "men"
terms = ["men"]
"""


def written(folder: Path, text: str, name: str = "own.toml") -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def read(folder: Path, text: str) -> Attribute:
    return attribute(written(folder, text))


def problems(folder: Path, text: str) -> str:
    with pytest.raises(BadData) as caught:
        read(folder, text)
    assert "own.toml" in caught.value.what
    assert "\n" not in str(caught.value)
    return caught.value.what


def test_the_least_that_a_file_needs(tmp_path: Path) -> None:
    about = read(tmp_path, PLAIN)
    assert (about.name, about.title, about.source) == ("height", "height", "the user's own file")
    assert [(g.name, g.terms, g.possessive) for g in about.groups] == [
        ("a", (" tall",), None),
        ("b", (" short",), None),
    ]
    assert about.digest == hashlib.sha256(PLAIN.encode()).hexdigest()
    assert about.neutral == about.axes == ()


def test_everything_that_a_file_can_say(tmp_path: Path) -> None:
    head = 'title = "a title"\nsource = "ours"\nneutral = [" average"]\ndefinitional = ["dancer"]\n'
    about = read(
        tmp_path, PLAIN.replace(FRAME, FRAME + head).replace('["tall"]', '["  very  tall", "lofty"]')
    )
    assert (about.title, about.source, about.definitional) == ("a title", "ours", {"dancer"})
    assert about.neutral == (" average",)
    assert about.groups[0].terms == (" very tall", " lofty")  # one space before each word


def test_an_intersection_has_every_combination(tmp_path: Path) -> None:
    about = read(tmp_path, CROSSED)
    assert about.axes == ("faith", "gender")
    assert [(g.name, g.terms, g.parts) for g in about.groups] == [
        ("sikh_women", (" Sikh women",), ("sikh", "women")),
        ("sikh_men", (" Sikh men",), ("sikh", "men")),
        ("hindu_women", (" Hindu women", " hindu women"), ("hindu", "women")),
        ("hindu_men", (" Hindu men", " hindu men"), ("hindu", "men")),
    ]


def test_an_axis_may_be_a_built_in_attribute(tmp_path: Path) -> None:
    gender = CROSSED[CROSSED.index("[[gender]]") :]
    head = f'name = "age_gender"\n{FRAME}crosses = ["age", "gender"]\n'
    assert [g.terms for g in read(tmp_path, head + gender).groups][:2] == [(" young women",), (" young men",)]


def test_pronouns_make_no_axis(tmp_path: Path) -> None:
    found = problems(tmp_path, f'name = "x"\n{FRAME}crosses = ["age", "gender"]\n')
    assert "and is none of the built-in axes race, religion, age" in found


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('name = "height"\n', "", "the key 'name' is missing"),
        (FRAME, "", "the key 'frame' is missing"),
        ('"height"', '"gender"', "name is 'gender', which is a built-in attribute"),
        ('"height"', '"Body height"', "name is 'Body height', which may hold a-z, 0-9 and _ only"),
        ('"height"', "7", "name is 7, not a text"),
        ('"height"', '" "', "name is blank"),
        (FRAME, f"{FRAME}neutral = [1]\n", "neutral is [1], not a list of texts"),
        (FRAME, f'{FRAME}definitional = ["preist"]\n', "no profession (did you mean 'priest'?)"),
        (FRAME, f'{FRAME}nuetral = ["x"]\n', "there is no key 'nuetral' (did you mean 'neutral'?)"),
        ("{profession} ", "", "the frame lacks {profession}"),
        ("{action} ", "", "the frame lacks {action}"),
        ("is\"", "is {place}\"", "the frame has an unknown slot {place}"),
        ("{action}", "{action", "the frame has a brace"),
        ("who {action} is", "who {action} said she is", "the frame has a gendered word"),
        ("who {action} is", "who {action} and is tall is", "the frame has the term 'tall' in it"),
        (TWO, "", "there are no [[groups]] tables"),
        (TWO[TWO.rindex("[[") :], "", "there is one [[groups]] table, not two or more"),
        ('name = "b"\n', "", "[[groups]] 2: the key 'name' is missing"),
        ('terms = ["short"]\n', "", "[[groups]] 2: the key 'terms' is missing"),
        ('terms = ["short"]', "terms = []", "[[groups]] 2: terms is [], not a list of texts"),
        ('terms = ["short"]', 'terms = "short"', "[[groups]] 2: terms is 'short', not a list of texts"),
        ('name = "b"', 'name = "a"', "[[groups]] 2: the name 'a' is already that of [[groups]] 1"),
        ('name = "b"\n', 'name = "b"\npossesive = "x"\n', "(did you mean 'possessive'?)"),
        ('name = "b"\n', 'name = "b"\npossessive = ""\n', "[[groups]] 2: possessive is '', not a word"),
        ('["short"]', '["short", "short"]', "the term 'short' stands twice"),
        ('["short"]', '["tall"]', "the term 'tall' stands in a and in b"),
        ('["short"]', '["taller"]', "the term 'taller' begins with the term 'tall'"),
        ("is\"", "is a\"", "nothing"),
    ],
)  # fmt: skip
def test_what_can_be_wrong(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in PLAIN
    text = PLAIN.replace(old, new, 1)
    if said == "nothing":
        assert read(tmp_path, text).frame.endswith(" is a")  # "a" fits both terms
    else:
        assert said in problems(tmp_path, text)


def test_an_article_that_fits_some_terms_only(tmp_path: Path) -> None:
    text = PLAIN.replace('is"', 'is a"').replace('["short"]', '["average"]')
    assert "the frame ends with 'a', which fits some terms only" in problems(tmp_path, text)


def test_all_problems_come_at_once(tmp_path: Path) -> None:
    text = 'frame = "Somebody is"\n[[groups]]\nterms = ["x"]\n[[groups]]\nname = "b"\n'
    found = problems(tmp_path, text)
    for said in (
        "used: the key 'name' is missing",
        "lacks {profession}",
        "lacks {action}",
        "[[groups]] 1: the key 'name' is missing",
        "[[groups]] 2: the key 'terms' is missing",
    ):
        assert found.count(said) == 1


def test_problems_of_an_intersection(tmp_path: Path) -> None:
    found = problems(tmp_path, CROSSED.replace('["faith", "gender"]', '["faith", "faith"]'))
    assert "not two different axes or more" in found
    assert "there is no key 'gender'" in found
    assert "both given" in problems(tmp_path, CROSSED + TWO)
    assert "[[gender]] 2: the key 'terms' is missing" in problems(
        tmp_path, CROSSED.replace('terms = ["men"]\n', "")
    )


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    assert "is empty" in problems(tmp_path, "\n")
    assert "is not TOML: " in problems(tmp_path, PLAIN + "[[groups\n")
    assert "is not TOML: " in problems(tmp_path, PLAIN.replace('"short', '"\\ud800short'))
    assert "is nested too deeply" in problems(tmp_path, f"a = {'[' * 100_000}")
    assert "has a number of thousands of digits" in problems(tmp_path, f"a = {'9' * 5000}")
    with pytest.raises(BadData, match=r"no\.toml cannot be read: No such file"):
        attribute(str(tmp_path / "no.toml"))
    (tmp_path / "latin.toml").write_bytes(PLAIN.replace("short", "früh").encode("latin-1"))
    with pytest.raises(BadData, match=r"latin\.toml is not UTF-8 text: byte \d+"):
        attribute(str(tmp_path / "latin.toml"))


def test_a_name_without_its_ending_is_no_file() -> None:
    with pytest.raises(UnknownName, match="file of your own"):
        attribute("own")


def test_the_files_in_the_manual_can_be_used(tmp_path: Path) -> None:
    manual = Path(__file__).parents[2] / "docs" / "attributes.md"
    plain, inflected, crossed = re.findall(
        r"^```toml\n(.*?)^```", manual.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    assert read(tmp_path, plain).group_names == ("dalit", "brahmin")
    assert [name for name, _ in read(tmp_path, inflected).hints] == ["tasche", "mantel", "buch"]
    assert len(read(tmp_path, crossed).groups) == 3 * 2
