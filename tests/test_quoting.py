"""Lists that a person types: what is written is read, whatever signs a name holds."""

from __future__ import annotations

import pytest

from evenhand.errors import BadOption
from evenhand.quoting import listed, names, pieces, plain, quoted
from evenhand.registry import parse, parse_many

ODD = ("a", "a,b", 'say "yes"', '"', " a ", "a=b", "a|b;c:d", '5"', "", 'a,"b"')


def test_what_is_written_is_read() -> None:
    kept = [one for one in ODD if one]
    assert names(listed(kept)) == kept
    for name in ODD:
        assert plain(quoted(name, ",;|:=")) == name


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a,b", ["a", "b"]),
        ('"a,b",c', ["a,b", "c"]),
        (' "a,b" , c,,', ["a,b", "c"]),
        ('5",7"', ['5"', '7"']),
        ('"a ""b"""', ['a "b"']),
    ],
)
def test_a_list_by_hand(text: str, found: list[str]) -> None:
    assert names(text) == found


def test_signs_within_quotes_part_nothing() -> None:
    assert pieces('x:"a;b"="c";d', ";") == ['x:"a;b"="c"', "d"]


@pytest.mark.parametrize("text", ['"a,b', 'a,"b', '"a"b', '"a" "b"'])
def test_half_quoted_names_are_refused(text: str) -> None:
    with pytest.raises(BadOption, match="double quote"):
        names(text)


def test_a_spec_keeps_what_is_quoted() -> None:
    spec = parse('drop:columns="a,b"|c')
    assert spec.options == {"columns": '"a,b"|c'}
    assert parse(str(spec)) == spec
    assert [one.name for one in parse_many('drop:columns="a,x=1",spell')] == ["drop", "spell"]
