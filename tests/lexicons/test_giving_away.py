"""What gives a person's gender away in German, French and Spanish: a table of texts, each with its reading.

``no``: a rule decides that it does, and the pack is refused. ``look``: only a reader can tell. ``fine``: it
gives nothing away. A case that was judged wrongly belongs into this table.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from evenhand.lexicons import attribute, attribute_names, checked_file, language, look_at
from tests.lexicons.test_packs import SMALL

NO, LOOK, FINE = "no", "look", "fine"
CASES = {
    "de": [
        ("nahm Krause ihre Tasche", NO),
        ("nahm Krause die Tasche und ihre Jacke", LOOK),  # "die Tasche" may be read as several
        ("begrüßte Krause die Gäste und ihre Kinder", LOOK),
        ("fragte Krause zwei Leute nach ihrem Hund", LOOK),
        ("brachte Krause ihnen das Essen", FINE),
        ("sagte Krause: Dort steht Ihr Wagen", FINE),  # to whom one speaks
        ("schrieb Krause einen Brief an Sie", FINE),
        ("sagte Krause: Ihr Wagen steht dort", NO),  # at the beginning a capital says nothing
        ("sah Krause sie", NO),
        ("holte Krause ihn ab", NO),
        ("nahm Krause sein Rad", NO),
        ("nahm Krause sein neues Rad", NO),
        ("nahm Krause sein neues rotes Rad", NO),
        ("nahm Krause sein neues, sehr altes Rad", LOOK),
        ("nahm Krause sein großes und altes Rad", NO),
        ("bat Krause darum, pünktlich zu sein", FINE),
        ("musste Krause pünktlich sein", FINE),
        ("war Krause Chefin", NO),
        ("ist Chefin", NO),
        ("arbeitet als Ärztin", NO),
        ("war Krause eine gute Köchin", NO),
        ("war Krause Chef", LOOK),
        ("wurde Krause Zeuge", LOOK),
        ("war Krause in Berlin", FINE),
        ("wurde Krause müde", FINE),
        ("ist in der Medizin tätig", FINE),
        ("nutzte Krause ein Tuch als Medizin", FINE),
        ("gilt als Disziplin", FINE),
        ("trank Krause ein Glas Wein", FINE),
        ("war Krause beim Verein", FINE),
    ],
    "fr": [
        ("est grande", NO),
        ("est grand", NO),
        ("était trop contente", NO),
        ("était très fatigué", NO),
        ("était vraiment trop heureuse", NO),
        ("est partie", NO),
        ("semblait un peu perdue", NO),
        ("est un peu à l'écart", FINE),
        ("est bonne", NO),
        ("était douce", NO),
        ("a vu que la porte était ouverte", LOOK),
        ("a remarqué que le café était froid", LOOK),
        ("a dit que c'était grand", LOOK),
        ("a pris le train et est fatiguée", NO),
        ("Le soir, Moreau était fatiguée", NO),
        ("est au travail", FINE),
        ("est en retard", FINE),
        ("était malade", FINE),
        ("n'est pas malade", FINE),
        ("n'est pas contente", NO),
        ("n'est jamais fatiguée", NO),
        ("est parfois malade", FINE),
        ("est parfois grande", NO),
        ("est aujourd'hui malade", FINE),
        ("est enfin contente", NO),
        ("restait deux jours", FINE),
        ("sera lundi au bureau", FINE),
        ("était dehors", FINE),
        ("est calme et rapide", FINE),
        ("était là depuis longtemps", FINE),
        ("était souvent dans le jardin", FINE),
        ("a souri", FINE),
        ("s'est trompée", NO),
    ],
    "es": [
        ("estaba muy cansada", NO),
        ("estaba contenta", NO),
        ("es alta", LOOK),
        ("era muy simpático", LOOK),
        ("vio que la puerta estaba cerrada", LOOK),
        ("dijo que la sala estaba vacía", FINE),
        ("está para ayudar", FINE),
        ("es feliz", FINE),
        ("está en casa", FINE),
        ("sonrió", FINE),
    ],
}
TABLE = [(code, text, reading) for code, cases in CASES.items() for text, reading in cases]


@pytest.mark.parametrize(("code", "text", "reading"), TABLE, ids=[text for _, text, _ in TABLE])
def test_a_text(code: str, text: str, reading: str) -> None:
    spoken = language(code)
    found = NO if list(spoken.said(text)) else LOOK if list(spoken.asks(text)) else FINE
    assert found == reading, [*spoken.said(text), *spoken.asks(text)]


@pytest.mark.parametrize("name", [name for name in attribute_names() if attribute(name).is_pack])
def test_nothing_is_to_be_looked_at_in_a_built_in_pack(name: str) -> None:
    assert look_at(attribute(name)) == []


def _small(folder: Path, old: str, new: str) -> Path:
    assert old in SMALL
    path = folder / "own.toml"
    path.write_text(SMALL.replace(old, new), encoding="utf-8")
    return path


def test_a_form_that_both_groups_list_hides_nothing_where_no_sentence_takes_it(tmp_path: Path) -> None:
    path = _small(tmp_path, "nieste Krause", "nahm Krause seine Tasche")
    text = path.read_text("utf-8").replace("forms = {", 'forms = {unused = "seine", ')
    assert text.count("unused") == 2
    path.write_text(text, encoding="utf-8")
    assert "sneeze has 'seine', a form that says the gender" in checked_file(path)[1][0]


def test_what_is_to_be_looked_at_is_no_refusal(tmp_path: Path) -> None:
    path = _small(tmp_path, "nieste Krause", "rief Krause die Gäste und ihr Kind")  # "ihr" is a form of sie
    about, problems = checked_file(path)
    assert problems == []
    assert about is not None
    (said,) = look_at(about)
    assert said == "[actions.word] sneeze has 'ihr': does it stand for somebody else, or for several?"
