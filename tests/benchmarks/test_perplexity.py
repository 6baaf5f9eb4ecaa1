"""Perplexity: the arithmetic, the pieces, and files that cannot be read."""

from __future__ import annotations

import math

import pytest

from evenhand.benchmarks.perplexity import Perplexity, pieces
from evenhand.errors import BadData, BadModel, BadOption
from evenhand.records import LogProb
from evenhand.testing import BenchmarkCase
from evenhand.testing.scripted import ScriptedModel, figures, run
from evenhand.testing.scripts import by_word, right

CASE = BenchmarkCase(
    "perplexity",
    {"right": {"perplexity": 1}, "wrong": {"perplexity": 1000}, "uniform": {"perplexity": 512}},
    # A text a thousand times less likely with every word, and one of 512 tokens at every step.
    {"right": right, "wrong": by_word(1 / 1000), "uniform": by_word(1 / 512)},
    variants=("perplexity:text=lab", "perplexity:window=12"),
)


@pytest.fixture
def file(tmp_path):
    def write(content: bytes):
        path = tmp_path / "text.txt"
        path.write_bytes(content)
        return str(path)

    return write


def test_a_uniform_model_scores_its_vocabulary() -> None:
    for text in ("everyday", "people", "lab"):
        benchmark = Perplexity(text=text)
        model = ScriptedModel(lambda item: 512.0 ** -len(item.text.split()))
        assert figures(benchmark, model)["perplexity"] == pytest.approx(512)


def test_every_token_counts_alike(file) -> None:
    benchmark = Perplexity(file=file(b"one\none two three\n"))
    scores = run(benchmark, ScriptedModel(lambda item: 1 / 4))
    nll = pytest.approx(math.log(4))
    assert [s.values for s in scores] == [{"nll": nll, "tokens": 1.0}, {"nll": nll, "tokens": 3.0}]
    # (ln 4 + ln 4) / 4 tokens = ln 2, so 2; the mean of the texts' own perplexities would be (4 + 1.59) / 2.
    assert figures(benchmark, ScriptedModel(lambda item: 1 / 4))["perplexity"] == pytest.approx(2.0)


def test_the_text_is_asked_from_the_start() -> None:
    benchmark = Perplexity()
    request = benchmark.ask(benchmark.load()[0])[0]
    assert request.context == ""
    assert request.text == "The train to the coast leaves every hour from the second platform."


def test_lines_and_windows() -> None:
    text = "  a b c \n\n\n d e\n"
    assert pieces(text) == ["a b c", "d e"]
    assert pieces(text, 2) == ["a b", "c d", "e"]
    assert pieces(text, 100) == ["a b c d e"]


def test_windows_keep_every_word_once(file) -> None:
    words = [f"w{i}" for i in range(25)]
    samples = Perplexity(file=file(" ".join(words).encode()), window=10).load()
    assert [len(s.fields["text"].split()) for s in samples] == [10, 10, 5]
    assert " ".join(s.fields["text"] for s in samples).split() == words


def test_repeated_lines_keep_unlike_ids(file) -> None:
    samples = Perplexity(file=file(b"again\nother\nagain\nagain\n")).load()
    assert len({sample.id for sample in samples}) == 4
    first, _, second, third = (sample.id for sample in samples)
    assert (second, third) == (f"{first}-2", f"{first}-3")


def test_a_byte_order_mark_is_no_text(file) -> None:
    assert Perplexity(file=file(b"\xef\xbb\xbfhello\r\nworld")).load()[0].fields["text"] == "hello"


def test_a_missing_file(tmp_path) -> None:
    with pytest.raises(BadData, match="cannot be read: No such file"):
        Perplexity(file=str(tmp_path / "nowhere.txt"))


def test_a_folder_is_no_file(tmp_path) -> None:
    with pytest.raises(BadData, match="cannot be read: Is a directory"):
        Perplexity(file=str(tmp_path))


@pytest.mark.parametrize("content", [b"", b" \n\t\n", b"\xef\xbb\xbf"])
def test_an_empty_file(file, content) -> None:
    with pytest.raises(BadData, match="is empty"):
        Perplexity(file=file(content))


def test_a_wrong_encoding_says_where_and_how_to_mend(file) -> None:
    with pytest.raises(BadData, match="byte 3 cannot be read") as caught:
        Perplexity(file=file("caf\u00e9 noir".encode("latin-1")))
    assert "iconv" in caught.value.mend


def test_utf_16_is_called_by_its_name(tmp_path) -> None:
    (tmp_path / "wide.txt").write_bytes("Hello.".encode("utf-16"))
    with pytest.raises(BadData, match="iconv -f UTF-16 -t UTF-8"):
        Perplexity(file=str(tmp_path / "wide.txt"))


@pytest.mark.parametrize("options", [{"window": -1}, {"file": "x.txt", "text": "lab"}])
def test_bad_options(options) -> None:
    with pytest.raises(BadOption):
        Perplexity(**options)


def test_a_text_without_a_scored_token_is_undefined() -> None:
    benchmark = Perplexity()
    score = benchmark.score(benchmark.load()[0], [LogProb(0.0, 0)])
    assert score.values == {"nll": None, "tokens": None}


def test_an_impossible_text_is_an_error_not_a_figure() -> None:
    benchmark = Perplexity()
    with pytest.raises(BadModel, match="no probability at all"):
        benchmark.score(benchmark.load()[0], [LogProb(-math.inf, 5)])


def test_the_card_warns_about_tokenizers_and_owns_no_user_text(file) -> None:
    path = file(b"mine")
    assert "tokenizer" in Perplexity().card.reading
    assert Perplexity(file=path).card.licence == "the user's own"
    assert Perplexity(file=path).card.title == "Perplexity per token (file:text.txt)"
    assert Perplexity(file=path).name == f"perplexity:file={path}"
    assert Perplexity(file=path).card.digest != Perplexity().card.digest


def test_a_line_ends_at_a_line_feed_alone(file) -> None:
    benchmark = Perplexity(
        file=file("One line.\u2028(still the same line.\r\nSecond.\x0cstill second.\n".encode())
    )
    (one, two) = [request.text for sample in benchmark.load() for request in benchmark.ask(sample)]
    assert (one, two) == ("One line.\u2028(still the same line.", "Second.\x0cstill second.")


@pytest.mark.parametrize("name", ["a.jsonl", "A.JSONL", "a.json"])
def test_records_are_not_scored_with_their_braces(name, tmp_path) -> None:
    (tmp_path / name).write_text('{"text": "Hello there."}\n', encoding="utf-8")
    with pytest.raises(BadOption, match="scores every line as it is"):
        Perplexity(file=str(tmp_path / name))
