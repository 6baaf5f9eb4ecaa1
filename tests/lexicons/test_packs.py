"""Language packs: what every built-in one keeps, and every mistake that a pack's check finds."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import pytest

from evenhand.errors import BadData
from evenhand.lexicons import (
    Attribute,
    attribute,
    attribute_names,
    checked_file,
    described,
    language,
    mention_words,
)
from evenhand.lexicons._attributes import with_base

PACKS = tuple(name for name in attribute_names() if attribute(name).is_pack)
FOLDER = files("evenhand.lexicons").joinpath("packs")
LANGUAGES = {"de", "es", "fr"}
NOUNS = {"de": 3, "fr": 3, "es": 2}  # forms of a noun in each pack
# A small pack of twenty professions, whose sentences are right; each test makes one of them wrong.
PEOPLE = "\n".join(
    f'p{n} = ["repariert Ding {n}", "ein Macher{x}", "eine Macherin{x}"]'
    for n, x in enumerate("abcdefghijklmnopqrst")
)
SMALL = f"""name = "own_de"
language = "de"
frame = "Krause {{profession}}. Gestern {{action}}, weil"
nouns = ["masculine", "feminine"]
anchors = ["Krause {{profession}}. In {{hint:dative}} Zimmer {{action}}, weil"]

[hints]
buch = "Krause {{profession}}. Gestern nahm Krause {{hint:accusative}} Buch, weil"

[sentences]
town = "Krause, {{noun}} aus Leipzig, wartete, weil"

[[groups]]
name = "er"
terms = ["er"]
noun = "masculine"
forms = {{accusative = "sein", dative = "seinem"}}

[[groups]]
name = "sie"
terms = ["sie"]
noun = "feminine"
forms = {{accusative = "ihr", dative = "ihrem"}}

[actions.word]
smile = "lächelte Krause"
hesitate = "zögerte Krause"
sneeze = "nieste Krause"

[actions.phrase]
bed = "ging Krause früh ins Bett"
late = "kam Krause viel zu spät"
sit = "setzte sich Krause langsam hin"

[actions.sentence]
book = "klappte Krause das Buch zu"
light = "löschte Krause das Licht"
room = "betrat Krause das leere Zimmer"

[professions]
{PEOPLE}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "own.toml"
    path.write_text(text, encoding="utf-8")
    return path


def problems(folder: Path, text: str) -> Sequence[str]:
    return checked_file(written(folder, text))[1]


def test_there_are_packs_of_each_language_with_and_without_a_third_group() -> None:
    assert {attribute(name).language for name in PACKS} == LANGUAGES
    for code in LANGUAGES:
        plain, wide = attribute(f"gender_{code}"), attribute(f"gender_nonbinary_{code}")
        assert (len(plain.groups), len(wide.groups)) == (2, 3)
        assert plain.neutral == wide.groups[2].terms  # the same forms: of no group there, a group here
        assert (plain.occupations, plain.actions) == (wide.occupations, wide.actions)
    assert attribute("gender_nonbinary").groups[2].terms == (" they", " ze", " xe", " zie")


@pytest.mark.parametrize("name", PACKS)
def test_each_pack_passes_the_check_of_a_users_pack(name: str, tmp_path: Path) -> None:
    text = FOLDER.joinpath(f"{name}.toml").read_text("utf-8")
    path = written(tmp_path, text.replace(f'name = "{name}"', 'name = "a_copy"'))
    assert "a_copy" in path.read_text("utf-8")
    about, found = checked_file(path)
    assert found == []
    assert about is not None
    assert about.occupations == attribute(name).occupations


@pytest.mark.parametrize("name", PACKS)
def test_each_pack_is_large_and_complete(name: str) -> None:
    about = attribute(name)
    assert len(about.occupations) >= 100
    assert {action.scale for action in about.actions} == {"word", "phrase", "sentence"}
    # A third group needs a third form of the nouns for the hints of the second kind.
    second = 3 if len(about.groups) <= NOUNS[about.language] else 0
    assert (len(about.hints), len(about.anchors), len(about.sentences)) == (3, 3, second)
    # Hints are balanced over groups where the professions divide evenly: 132 = 2 · 66 = 3 · 44.
    assert len(about.occupations) % len(about.groups) == 0
    for frames in (about.hints, about.sentences):
        assert about.has_forms([text for _, text in frames])
    assert about.has_forms(about.anchors)
    for one in about.occupations:
        wanted = ["masculine", "feminine", "inclusive"][: NOUNS[about.language]]
        assert [form for form, _ in one.nouns] == wanted
        assert all(one.noun(group.noun) for group in about.groups if second)
    phrases = [one.phrase for one in about.occupations]
    assert len(set(phrases)) == len(phrases)


@pytest.mark.parametrize("name", PACKS)
def test_no_question_states_a_group(name: str) -> None:
    """No term, form, noun or gendered word in any of the prompts, looked for without the pack's own check."""
    about = attribute(name)
    said = {
        text.strip().casefold()
        for group in about.groups
        for text in (*group.terms, *(t for _, texts in group.forms for t in texts))
    } | {term.strip().casefold() for term in about.neutral}
    said |= language(about.language).gendered
    for one in about.occupations:
        nouns = [noun.partition(" ")[2].casefold() for _, noun in one.nouns]
        if len(set(nouns)) > 1:  # "dentiste" says no gender
            said |= set(nouns)
    for one in about.occupations:
        for action in about.actions:
            text = about.frame.format(profession=one.phrase, action=action.text).casefold()
            assert not said & set(re.findall(r"[^\W\d_]+(?:[·*-][^\W\d_]+)*", text)), text


@pytest.mark.parametrize("name", PACKS)
def test_articles_agree(name: str) -> None:
    about = attribute(name)
    articles = {"de": ("ein ", "eine "), "fr": ("un ", "une "), "es": ("un ", "una ")}[about.language]
    for one in about.occupations:
        assert one.noun("masculine").startswith(articles[0])
        assert one.noun("feminine").startswith(articles[1])


def test_a_small_pack_is_usable_and_described(tmp_path: Path) -> None:
    about, found = checked_file(written(tmp_path, SMALL))
    assert found == []
    assert about is not None
    assert described(about) == (
        "German: 20 professions x 9 actions = 180 prompts, 1 sentences with a hint, 1 of a second kind. "
        "Terms: er; sie."
    )
    assert about.groups[1].fill(dict(about.sentences)["town"], noun="eine Macherind") == (
        "Krause, eine Macherind aus Leipzig, wartete, weil"
    )


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("repariert Ding 3", "ist sie und repariert", "[professions] p3 has 'sie', a term of sie"),
        ("repariert Ding 3", "fragt seinem Ding nach", "[professions] p3 has 'seinem', a form of er"),
        ("repariert Ding 3", "arbeitet als Macherinh", "has 'macherinh', a noun that says the gender"),
        ("repariert Ding 3", "ist ein alter Herr", "[professions] p3 has the gendered word 'herr'"),
        ("repariert Ding 3", "ist Kaufmann", "[professions] p3 has the gendered word 'kaufmann'"),
        ("Krause {profession}. Gestern {action}", "Krause, die {profession}. Gestern {action}",
         "the frame has 'die': a relative pronoun agrees with the person"),
        ("Krause {profession}. Gestern {action}", "Die Person, die {profession}. Gestern {action}",
         "the frame speaks of 'person', whose pronoun follows the gender of the word"),
        ("lächelte Krause", "lächelte Frau Krause", "[actions.word] smile has the gendered word 'frau'"),
        ("{hint:accusative} Buch", "{hint:accusative} Buch, das er mag", "the hint 'buch' has 'er', a term"),
        ("nieste Krause", "nahm Krause seine Tasche",
         "[actions.word] sneeze has 'seine', a form that says the gender"),
        ("nieste Krause", "nahm Krause sein altes Rad",
         "[actions.word] sneeze has 'sein altes': a possessive says the gender"),
        ("repariert Ding 3", "half ihm oft", "[professions] p3 has 'ihm', a form that says the gender"),
        ('noun = "feminine"', 'noun = "masculine"',
         "the sentence 'town' is the same for the groups 'er' and 'sie': it states neither"),
        ("aus Leipzig", "aus Leipzig und ihrem Ort", "the sentence 'town' has 'ihrem', a form of sie"),
        ("eine Macherind", "ein Macherind",
         "[professions] p3: 'ein Macherind' does not begin with eine or die (feminine)"),
        ('"ein Macherd", "eine Macherind"', '"ein Macherd"',
         "[professions] p3 has 2 texts, not a phrase and 2 nouns (masculine, feminine)"),
        ('["repariert Ding 3", "ein Macherd", "eine Macherind"]', "7",
         "[professions] p3 is 7, not a list of texts"),
        ("repariert Ding 3", "repariert Ding 4", "the phrase 'repariert Ding 4' stands twice"),
        ("p3 =", '"a b" = ["tut", "ein X", "eine Y"]\n"a-b" =', "[professions] have one id, 'a-b'"),
        ("p3 =", '"Ärztin" =', "the name 'Ärztin' in [professions] is not of a-z"),
        ('noun = "feminine"', 'noun = "femenine"', "the noun of the group 'sie' is 'femenine'"),
        ('noun = "feminine"\n', "", "the group 'sie' has no noun, which the sentence 'town' takes"),
        ('sneeze = "nieste Krause"\n', "", "[actions.word] has 2, not 3 or more"),
        ("[actions.word]", "[actions.words]", "there is no scale 'words' of actions (did you mean 'word'?)"),
        ("nieste Krause", "zögerte Krause", "the action 'zögerte Krause' stands twice"),
        ('language = "de"\n', "", "are for another language than English"),
        ("{noun} aus", "{noum} aus", "the sentence 'town' has an unknown slot {noum}"),
        ("{hint:dative}", "{hint:dativ}", "takes the form 'dativ', and the group has accusative"),
    ],
)  # fmt: skip
def test_what_can_be_wrong_with_a_pack(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in SMALL
    found = problems(tmp_path, SMALL.replace(old, new, 1))
    assert any(said in problem for problem in found), found


def test_all_problems_of_a_pack_come_at_once(tmp_path: Path) -> None:
    text = SMALL.replace("repariert Ding 3", "fragt sie").replace("lächelte Krause", "lächelte Herr Krause")
    found = problems(tmp_path, text.replace("eine Macherinf", "ein Macherinf"))
    assert len(found) == 3
    with pytest.raises(BadData) as caught:
        attribute(str(tmp_path / "own.toml"))
    assert all(problem in caught.value.what for problem in found)


def test_too_few_professions_are_refused(tmp_path: Path) -> None:
    found = problems(
        tmp_path, SMALL.replace(PEOPLE, 'p = ["repariert Dinge", "ein Macher", "eine Macherin"]')
    )
    assert found == ["[professions] has 1, and an interval needs 20 or more"]


def test_professions_and_actions_go_together(tmp_path: Path) -> None:
    head = SMALL[: SMALL.index("[actions.word]")]
    assert "[professions] goes with [actions], which is missing" in problems(
        tmp_path, f"{head}[professions]\n{PEOPLE}\n"
    )
    assert "'nouns' goes with [professions]" in problems(
        tmp_path, head.replace("{noun}", "{profession} {hint}")
    )


FRENCH = """name = "own_fr"
base = "gender_fr"
frame = "Moreau {profession}. Hier, Moreau {action}, car"
"""


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (
            "Moreau {profession}. Hier, Moreau {action} parce que",
            "ends with 'que', which is shortened before some",
        ),
        ("Moreau {profession}. Hier, Moreau est parti et {action}, car", "take a verb with 'avoir'"),
        ("La personne {profession}. Hier, Moreau {action}, car", "the frame speaks of 'personne'"),
        (
            "Moreau {profession}. Hier, Moreau était très contente et {action}, car",
            "'était très contente': a participle or adjective",
        ),
        ("Moreau {profession}. Hier, elle-même {action}, car", "the frame has 'elle-même', a form that says"),
        (
            "Madame Moreau {profession}. Hier, Moreau {action}, car",
            "the frame has the gendered word 'madame'",
        ),
    ],
)
def test_what_french_gives_away(tmp_path: Path, frame: str, said: str) -> None:
    text = FRENCH.replace("Moreau {profession}. Hier, Moreau {action}, car", frame)
    found = problems(tmp_path, text)
    assert any(said in problem for problem in found), found


def test_what_spanish_gives_away(tmp_path: Path) -> None:
    frame = attribute("gender_es").frame
    text = f"name = 'own_es'\nbase = 'gender_es'\nframe = \"{frame}\"\n"
    assert problems(tmp_path, text) == []
    for said in ("estaba muy contenta", "estaba cansado", "estuvo solo", "quedó consigo misma"):
        found = problems(tmp_path, text.replace("{action}", f"{said} y {{action}}"))
        assert any(said.split()[-1] in problem for problem in found), said


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("fr", "Moreau est rarement en retard, était souvent là et est devant la porte"),
        ("fr", "Moreau est maintenant au bureau et était avant tout en forme pendant une heure"),
        ("es", "Vega estaba junto a la puerta hasta tarde, ahora mismo, y estuvo treinta días"),
        ("es", "Vega hace lo mismo y está esta mañana pronto en casa"),
        ("de", "Krause wollte pünktlich zu Hause sein"),
    ],
)
def test_what_says_no_gender_is_not_refused(code: str, text: str) -> None:
    assert list(language(code).said(text)) == []


def test_nouns_that_are_one_word_for_two_groups_state_neither(tmp_path: Path) -> None:
    """In a language whose nouns the check does not know, each column may hold the same word."""
    text = SMALL.replace('language = "de"', 'language = "it"').replace("eine Macherin", "ein Macher")
    said = "the sentence 'town' is the same for the groups 'er' and 'sie': it states neither"
    assert any(said in problem for problem in problems(tmp_path, text))


def test_a_base_lends_everything_that_a_file_lacks(tmp_path: Path) -> None:
    own = """name = "word_de"
base = "gender_de"
frame = "Krause {profession}. Gestern {action}. Krause ist"
[[groups]]
name = "mann"
terms = ["ein Mann"]
[[groups]]
name = "frau"
terms = ["eine Frau"]
"""
    about, found = checked_file(written(tmp_path, own))
    assert found == []
    assert about is not None
    assert about.occupations == attribute("gender_de").occupations
    assert (about.language, about.group_names, about.neutral) == ("de", ("mann", "frau"), ())
    # Its groups have no forms, so the base's sentences with a hint are not taken.
    assert about.hints == about.sentences == about.anchors == ()
    assert problems(tmp_path, own.replace("gender_de", "gender_dee")) == [
        "base is 'gender_dee', which is no built-in attribute (did you mean 'gender_de'?)"
    ]


def test_an_unchanged_table_has_no_base() -> None:
    table = {"name": "x", "groups": []}
    assert with_base(table) is table


def test_a_language_that_is_not_known_is_said_to_be_unchecked(tmp_path: Path) -> None:
    about, found = checked_file(written(tmp_path, SMALL.replace('language = "de"', 'language = "nl"')))
    assert found == []
    assert about is not None
    assert described(about).startswith("nl: 20 professions")
    assert "gendered words were not looked for" in described(about)


def test_words_of_a_pack_that_count_as_mentions_are_its_terms() -> None:
    # "arrivée" is a form of elle in sentences, and would be a mention of anybody who arrives.
    assert mention_words("gender_fr") == {"il": {"il"}, "elle": {"elle"}}


def test_languages_have_what_the_check_reads() -> None:
    entries = tomllib.loads(files("evenhand.lexicons").joinpath("languages.toml").read_text("utf-8"))
    assert entries.keys() > LANGUAGES
    for code in entries:
        for pattern, why in language(code).patterns:
            re.compile(pattern)
            assert why
    assert not language("nl").known


def test_names_of_the_groups_tell_the_attributes_apart() -> None:
    names = [attribute(name).group_names for name in attribute_names()]
    assert len(set(names)) == len(names)


def test_no_sentence_of_a_pack_is_english() -> None:
    for name in PACKS:
        about: Attribute = attribute(name)
        for _, text in (*about.hints, *about.sentences):
            assert "The " not in text


def test_the_packs_in_the_manual_can_be_used(tmp_path: Path) -> None:
    manual = (Path(__file__).parents[2] / "docs" / "language-packs.md").read_text("utf-8")
    whole, based = re.findall(r"^```toml\n(.*?)^```", manual, re.MULTILINE | re.DOTALL)
    assert "needs 20 or more" in problems(tmp_path, whole)[0]  # it shows two professions
    more = "\n".join(
        f'p{n} = ["tut {n}", "ein M{x}", "eine F{x}"]' for n, x in enumerate("abcdefghijklmnopqr")
    )
    about, found = checked_file(written(tmp_path, f"{whole}{more}\n"))
    assert found == []
    assert about is not None
    assert (len(about.occupations), about.group_names) == (20, ("er", "sie"))
    assert problems(tmp_path, based) == []


def test_the_manual_states_the_counts() -> None:
    manual = (Path(__file__).parents[2] / "docs" / "language-packs.md").read_text("utf-8")
    for name in PACKS:
        assert f"| `{name}` |" in manual
        assert len(attribute(name).occupations) == 132
    assert "132 professions x 9 actions = 1188 prompts" in manual
