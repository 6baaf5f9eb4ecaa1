"""What each verb asks of the library, prints for people, and prints for programs."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from evenhand.records import VerdictName
from evenhand.reports import advice, leading, sentences
from evenhand.studies import seeds, verbs
from tests.cli.conftest import Library, Run
from tests.support import records_factory as make

ESTIMATE = {"value", "low", "high", "n", "ideal", "undefined", "level", "method", "few_clusters"}


def test_measure_json_contract(run: Run, library: Library) -> None:
    answer = run("measure", "lab:causal", "-b", "genbiaseval,genhinteval", "--json")
    assert answer.code == 0
    data = answer.json
    assert set(data) == {"schema", "model", "measurements", "made_by"}
    assert data["model"]["uri"] == "lab:causal"
    first, second = data["measurements"]
    assert {"benchmark", "card", "n", "metrics", "slices", "protocol", "treatment", "notes"} <= set(first)
    assert "scores" not in first
    assert (first["benchmark"], second["benchmark"]) == ("genbiaseval", "genhinteval")
    assert first["n"] == 27
    assert set(first["metrics"]["afgb"]) == ESTIMATE
    # |1 - 2 share| over the nine shares has the mean 4.8 / 9; AFGB is that times the mass 0.9.
    assert first["metrics"]["afgb"]["value"] == pytest.approx(0.9 * 4.8 / 9)
    assert set(first["slices"]["scale=word"]["afgb"]) == ESTIMATE


def test_measure_asks_for_components_in_order(run: Run, library: Library) -> None:
    run(
        "measure",
        "lab:causal",
        "-b",
        "genbiaseval:split=profession,part=dev,facts",
        "-b",
        "facts",
        "--seed",
        "3",
    )
    (asked,) = library.asked
    assert asked[2] == ("genbiaseval:part=dev,split=profession", "facts")
    assert asked[3] == {"seed": 3, "limit": None, "out": None, "batch_tokens": None, "dtype": None}


def test_measure_takes_the_two_by_default(run: Run, library: Library) -> None:
    run(
        "measure", "lab:causal", "--limit", "5", "--out", "kept", "--batch-tokens", "64", "--dtype", "float32"
    )
    (asked,) = library.asked
    assert asked[2] == ("genbiaseval", "genhinteval")
    assert asked[3] == {
        "seed": 0, "limit": 5, "out": Path("kept"), "batch_tokens": 64, "dtype": "float32"
    }  # fmt: skip


def test_measure_crosses_slices(run: Run, library: Library) -> None:
    run("measure", "lab:causal", "--by", "scale, definitional,")
    assert library.asked[0][4] == ("scale", "definitional")


def test_measure_for_people(run: Run, library: Library) -> None:
    answer = run("measure", "lab:causal")
    assert "AFGB normalised by the groups' mass" in answer.out
    assert "0.460 to 0.500" in answer.out  # AFGB 0.48 with 0.02 to each side
    assert "scale=sentence" in answer.out
    assert sentences.LIMITED not in answer.out


def test_tables_show_the_key_beside_the_title_and_which_way_is_better(run: Run, library: Library) -> None:
    rows = [line.split() for line in run("measure", "lab:causal").out.splitlines()]
    (normalised,) = [row for row in rows if row[:1] == ["afgb_normalised"]]
    assert normalised[1:6] == ["AFGB", "normalised", "by", "the", "groups'"]
    assert normalised[-1] == "lower"
    (ub,) = [row for row in rows if row[:2] == ["ub", "UB:"]]
    assert ub[-1] == "higher"
    assert ["key", "slice"] in [row[:2] for row in rows]  # and slices have a table of their own
    verified = [line.split() for line in run("verify", "lab:causal").out.splitlines()]
    assert [row[-1] for row in verified if row[:2] == ["afgb_normalised", "AFGB"]] == ["lower"]


def test_a_narrow_terminal_loses_titles_and_no_figure(
    run: Run, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    out = run("verify", "lab:causal").out
    row = next(line for line in out.splitlines() if line.split()[:1] == ["afgb_normalised"])
    assert "AFGB normalised" not in out
    assert len(row.split()) == 9  # key, before, after, change, low "to" high, p, better
    assert all(len(line) <= 80 for line in out.splitlines() if line.startswith(" "))


def test_limited_measurements_are_stamped(run: Run, library: Library) -> None:
    library.record = dataclasses.replace(library.record, before=(make.genbiaseval(limited=True),))
    assert sentences.LIMITED in run("measure", "lab:causal", "--limit", "5").out


def test_locate_says_that_bmi_is_not_specific(run: Run, library: Library) -> None:
    answer = run("locate", "lab:causal", "--with", "bmi")
    assert sentences.NOT_SPECIFIC in answer.out
    lines = answer.out.splitlines()
    order = [line.split()[0] for line in lines if line.strip().startswith("block.")]
    assert order == ["block.3", "block.2", "block.0", "block.1"]
    assert sentences.NOT_SPECIFIC not in run("locate", "lab:causal", "--with", "ablation").out


def test_only_a_specific_locator_can_find_nothing(
    run: Run, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = "found no block with a relevant score"
    for specific in (True, False):
        found = dataclasses.replace(make.location("any", specific=specific), claims=False)
        monkeypatch.setattr(verbs, "locate", lambda *_, found=found: found)
        assert (nothing in run("locate", "lab:causal").out) is specific


def test_locate_json_and_file(run: Run, library: Library) -> None:
    answer = run("locate", "lab:causal", "--json", "--out", "kept")
    location = answer.json["location"]
    assert location["top"] == "block.3"
    assert location["specific"] is False
    assert location["ranking"] == ["block.3", "block.2", "block.0", "block.1"]
    kept = Path("kept/location.json")
    stored = json.loads(kept.read_text())
    assert stored.keys() == answer.json.keys() | {"seal"}
    assert all(stored[key] == answer.json[key] for key in ("schema", "uri", "location"))
    assert run("locate", "lab:causal", "--out", "kept").code == 0
    kept.write_text(kept.read_text().replace("block.3", "block.4"))
    answer = run("locate", "lab:causal", "--out", "kept")
    assert (answer.code, "it was changed since evenhand wrote it" in answer.err) == (2, True)
    assert "block.4" in kept.read_text()


def test_mitigate(run: Run, library: Library) -> None:
    answer = run(
        "mitigate", "lab:causal", "--with", "lftf:loss=nll", "--out", "treated/", "--locator", "ablation"
    )
    assert answer.code == 0
    (asked,) = library.asked
    assert asked[:4] == ("mitigate", "lab:causal", "lftf:loss=nll", Path("treated"))
    assert asked[4]["locator"] == "ablation"
    assert "evenhand measure lab:causal+treated" in answer.out
    assert not set("{}[]") & set(answer.out)  # tables and sentences, not the values of a program
    assert "0.420" in answer.out
    assert sentences.NOT_SPECIFIC in answer.out
    data = run("mitigate", "lab:causal", "--json").json
    assert data["mitigation"] == "lftf"
    assert data["out"] == "treated"
    assert data["location"]["locator"] == "bmi"


def test_verify_json_contract(run: Run, library: Library) -> None:
    answer = run("verify", "lab:causal", "--with", "lftf", "--out", "kept", "--json")
    assert answer.code == 0
    data = answer.json
    needed = {"verdict", "before", "after", "effects", "capability", "control", "report"}
    assert needed | {"location", "guards", "reasons", "notes", "model", "treatment", "seed"} <= set(data)
    assert data["verdict"] == "mitigated"
    assert [m["benchmark"] for m in data["before"]] == [m["benchmark"] for m in data["after"]]
    assert {"benchmark", "metric", "before", "after", "change", "relative", "p_value", "raw_p_value"} == set(
        data["effects"][0]
    )
    assert data["capability"]["kept"] is True
    assert data["control"]["families"][0]["family"] == "sham"
    assert data["report"] == "kept/report.html"
    assert Path("kept/report.html").stat().st_size > 400_000


def test_verify_leads_with_a_sentence_and_a_step_for_programs_too(run: Run, library: Library) -> None:
    library.record = make.verification(VerdictName.COST_UNKNOWN)
    data = run("verify", "lab:causal", "--json").json
    assert data["sentence"] == leading.sentence(library.record)
    assert data["next_step"] == advice.next_step(library.record)
    assert data["next_step"].startswith("Measure log-perplexity on more items")
    shown = run("verify", "lab:causal").out.splitlines()
    assert shown[:2] == [data["sentence"], f"Next: {data['next_step']}"]
    assert f"  - {data['next_step']}" in shown[shown.index("What would settle it:") :]


def test_a_method_is_printed_with_each_of_its_models(run: Run, library: Library) -> None:
    """Seed 0 is mitigated, seed 1 has no evidence: that decides, and both are listed."""
    library.record = seeds.of_method(
        [
            dataclasses.replace(make.verification(verdict), seed=seed)
            for seed, verdict in enumerate((VerdictName.MITIGATED, VerdictName.NO_EVIDENCE))
        ]
    )
    data = run("verify", "lab:causal", "--seeds", "2", "--json").json
    assert library.asked[-1][3]["seeds"] == 2
    assert data["verdict"] == "no evidence"
    assert [(one["seed"], one["verdict"]) for one in data["seeds"]] == [(0, "mitigated"), (1, "no evidence")]
    (spread, *_) = data["effects_over_seeds"]
    after = data["effects"][0]["after"]["value"]
    assert spread["after"] == {"mean": after, "least": after, "most": after}
    assert spread["models"] == 2
    said = "Of 2 treated models (seeds 0 to 1) 1 mitigated and 1 no evidence: "
    assert data["sentence"].startswith(said)
    assert data["reasons"][-1].startswith(said)
    shown = run("verify", "lab:causal", "--seeds", "2").out
    assert shown.startswith(said)
    assert "The treated models of the method" in shown
    assert "Effects over 2 treated models" in shown


def test_one_model_has_no_list_of_seeds(run: Run, library: Library) -> None:
    data = run("verify", "lab:causal", "--json").json
    assert (data["seeds"], data["effects_over_seeds"]) == ([], [])
    assert "The treated models" not in run("verify", "lab:causal").out


def test_verify_hands_every_option_on(run: Run, library: Library) -> None:
    argv = "verify lab:causal --with leace -b genbiaseval --capability facts,perplexity --locator random"
    run(*argv.split(), "--control", "none", "--margin", "0.02", "--seed", "7", "--limit", "9", "--json")
    (asked,) = library.asked
    assert asked[1:3] == ("lab:causal", "leace")
    assert asked[3] == {
        "seed": 7, "limit": 9, "out": None, "batch_tokens": None, "dtype": None,
        "benchmarks": ("genbiaseval",), "capability": ("facts", "perplexity"),
        "locator": "random", "control": "none", "margin": 0.02, "primary": None,
        "budget": None, "seeds": 1,
    }  # fmt: skip


def test_verify_hands_a_treated_model_on(run: Run, library: Library) -> None:
    assert run("verify", "lab:causal", "--treated", "hf:./ours", "--json").code == 0
    (asked,) = library.asked
    assert asked[1:3] == ("lab:causal", None)
    assert asked[3]["locator"] == "bmi"
    assert asked[4] == "hf:./ours"


@pytest.mark.parametrize("more", [["--with", "lftf"], ["--locator", "bmi"]])
def test_what_a_treated_model_excludes_is_refused(run: Run, library: Library, more: list[str]) -> None:
    answer = run("verify", "lab:causal", "--treated", "hf:./ours", *more)
    assert answer.code == 2
    assert "treated already" in answer.err
    assert library.asked == []


def test_verify_and_plan_hand_on_what_the_verdict_is_to_be_about(run: Run, library: Library) -> None:
    run("verify", "lab:causal", "--primary", "ub", "--json")
    assert library.asked[-1][3]["primary"] == "ub"


def test_verify_says_first_what_happened_then_the_verdict(run: Run, library: Library) -> None:
    library.record = make.verification(VerdictName.CAPABILITY_LOSS)
    answer = run("verify", "lab:causal")
    assert answer.code == 0
    lead, following, first, second, third, *_ = answer.out.splitlines()
    assert lead.startswith("The he/she gap fell from ")
    assert following == "Next: Try the block that carries the bias: `--locator ablation`."
    assert first == "Verdict: capability loss only"
    assert second == sentences.VERDICTS[VerdictName.CAPABILITY_LOSS]
    assert third == "  - The gap fell by 80 %."
    assert sentences.NOT_SPECIFIC in answer.out
    assert answer.out.splitlines()[-1] == "Report: runs/default/report.html"


@pytest.mark.parametrize(
    "argv",
    [
        *([verb, "lab:causal", "--seed", "-1"] for verb in ("measure", "locate", "mitigate", "verify")),
        ["demo", "--seed", "-1"],
        ["measure", "lab:causal", "--seed", "4294967296"],
        ["measure", "lab:causal", "--limit", "0"],
        ["plan", "lab:causal", "--limit", "-5"],
        ["locate", "lab:causal", "--batch-tokens", "0"],
        *(["verify", "lab:causal", "--margin", margin] for margin in ("nan", "inf", "-0.1", "5")),
    ],
    ids=" ".join,
)
def test_a_number_that_cannot_be_is_refused_before_any_work(
    run: Run, library: Library, argv: list[str]
) -> None:
    answer = run(*argv)
    assert answer.code == 2
    assert answer.err.startswith(f"evenhand: Invalid value for '{argv[-2]}': ")
    assert (answer.out, library.asked) == ("", [])


def test_verify_without_control_says_that_nothing_judged_it(run: Run, library: Library) -> None:
    reason = "Not judged. Without control models no effect can be told from a loss of capability: ..."
    fell = dataclasses.replace(make.verification(VerdictName.NO_EVIDENCE), control=None, reasons=(reason,))
    library.record = fell
    out = run("verify", "lab:causal", "--control", "none").out
    assert out.splitlines()[0].endswith("but control models were not made, so it cannot be told from damage.")
    assert out.splitlines()[1] == "Next: Make control models: run it again with `--control standard`."
    assert out.splitlines()[2:4] == ["Verdict: not judged", sentences.NOT_JUDGED]
    assert "no evidence" not in out
    assert run("verify", "lab:causal", "--control", "none", "--json").json["verdict"] == "no evidence"
    library.record = dataclasses.replace(fell, reasons=("There was too little bias to treat: ...",))
    assert run("verify", "lab:causal", "--control", "none").out.splitlines()[2] == "Verdict: no evidence"


def test_measure_says_where_it_ends_that_nothing_is_kept(run: Run, library: Library) -> None:
    *_, last = run("measure", "lab:causal").out.splitlines()
    assert last.startswith("These results are not stored: --out FOLDER")
    assert "These results are not stored" not in run("measure", "lab:causal", "--out", "kept").out
    assert "These results are not stored" not in run("measure", "lab:causal", "--json").out


@pytest.mark.parametrize("verdict", list(VerdictName))
def test_verify_exit_codes(run: Run, library: Library, verdict: VerdictName) -> None:
    library.record = make.verification(verdict)
    assert run("verify", "lab:causal", "--json").code == (
        3 if verdict in ("not comparable", "mitigated, cost unknown") else 0
    )


def test_verify_stamps_a_limited_run(run: Run, library: Library) -> None:
    library.record = dataclasses.replace(library.record, limited=True)
    assert run("verify", "lab:causal", "--limit", "9").out.startswith(f"*** {sentences.LIMITED} ***")


def test_demo_tells_the_story_in_order(run: Run, library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    answer = run("demo")
    assert answer.code == 0
    places = [answer.out.index(f"{step}. ") for step in ("1", "2", "3", "4")]
    assert places == sorted(places)
    assert "Verdict: mitigated" in answer.out
    assert sentences.NOT_SPECIFIC in answer.out
    assert sentences.SPECIFIC in answer.out  # ablation
    assert "reduced form" in answer.out
    assert Path("runs/demo/report.html").exists()
    assert "runs/demo/report.html" in answer.out
    verify, locate = library.asked
    assert verify[1:3] == ("lab:causal", "lftf")
    assert verify[3]["control"] == "reduced"
    assert locate[:3] == ("locate", "lab:causal", "ablation")


def test_demo_json(run: Run, library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    data = run("demo", "--json").json
    assert data["verdict"] == "mitigated"
    assert data["ablation"]["locator"] == "ablation"


def test_printing_libraries_do_not_spoil_the_json(
    run: Run, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    def noisy(*_: object, **__: object) -> list[object]:
        print("a library talks")
        return [make.genbiaseval()]

    monkeypatch.setattr(verbs, "measure", noisy)
    answer = run("measure", "lab:causal", "--json")
    assert set(answer.json) == {"schema", "model", "measurements", "made_by"}
    assert "a library talks" in answer.err


def test_square_brackets_in_names_are_text(run: Run, library: Library) -> None:
    named = dataclasses.replace(make.genbiaseval(), benchmark="[bold red]x[/]")
    library.record = dataclasses.replace(library.record, before=(named,))
    assert "[bold red]x[/]" in run("measure", "lab:causal").out
