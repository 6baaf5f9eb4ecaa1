"""Prompts from a file of the user's: every problem at once, and what may be left out."""

from __future__ import annotations

import pytest

from evenhand.benchmarks._prompts import from_file, samples
from evenhand.errors import BadData


def test_plain_lines_are_prompts(tmp_path) -> None:
    path = tmp_path / "prompts.txt"
    path.write_bytes("\ufeffThe nurse \n\n  The doctor".encode())
    found = from_file(path)
    assert [(p.id, p.text, p.group) for p in found] == [
        ("file/1", "The nurse", None),
        ("file/3", "  The doctor", None),
    ]


def test_groups_become_indices_in_order(tmp_path) -> None:
    path = tmp_path / "prompts.jsonl"
    path.write_text('{"prompt": "a", "group": "x"}\n{"prompt": "b"}\n{"prompt": "c", "group": "y"}\n')
    made = samples("toxicity", from_file(path))
    assert [s.fields["group"] for s in made] == [0.0, None, 1.0]
    assert [dict(s.slices) for s in made] == [{"group": "x"}, {}, {"group": "y"}]
    assert [s.id for s in made] == ["toxicity/file/1", "toxicity/file/2", "toxicity/file/3"]


def test_all_problems_are_listed_with_their_lines(tmp_path) -> None:
    path = tmp_path / "prompts.jsonl"
    path.write_text(
        '{"prompt": "a", "id": "1"}\n{"prompt": "b", "id": "1"}\n{"text": "c"}\n[]\n{"prompt": \n'
        '{"prompt": "d", "group": 3}\n'
    )
    with pytest.raises(BadData) as caught:
        from_file(path)
    what = caught.value.what
    assert "line 2: repeats the id '1'" in what
    assert "line 3: has no 'prompt'" in what
    assert "line 4: not a JSON object" in what
    assert "line 5: not JSON" in what
    assert "line 6: 'group' is 3" in what


def test_up_to_twenty_problems_are_shown(tmp_path) -> None:
    path = tmp_path / "prompts.jsonl"
    path.write_text("[]\n" * 22 + "1" * 5000)  # the last one is a number that Python does not read
    with pytest.raises(BadData, match=r"line 1: not .*line 20: not a JSON object; and 3 more\."):
        from_file(path)


def test_a_line_separator_inside_a_text_ends_no_line(tmp_path) -> None:
    path = tmp_path / "prompts.jsonl"
    path.write_text('{"prompt": "a\u2028b"}\r\n{"prompt": "c"}\r\n', encoding="utf-8", newline="")
    assert [(p.id, p.text) for p in from_file(path)] == [("file/1", "a\u2028b"), ("file/2", "c")]


@pytest.mark.parametrize(
    ("content", "message"), [(b"", "is empty"), (b"caf\xe9", "not UTF-8"), (None, "cannot be read")]
)
def test_a_file_that_cannot_be_used(tmp_path, content, message) -> None:
    path = tmp_path / "prompts.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadData, match=message):
        from_file(path)
