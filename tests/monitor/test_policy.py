"""The policy file: what it holds, what it fills in, and errors that say what to type."""

from __future__ import annotations

from pathlib import Path

import pytest

from evenhand.errors import BadData
from evenhand.monitor import policy as module
from evenhand.monitor.policy import Policy, Rule, parse_policy, read_policy

RULE = '[[rule]]\nindicator = "selection_rate"\nattribute = "sex"\ntolerance = {ratio = 0.8}\n'
FULL = """
name = "loans"
alpha = 0.01
minimum = 50
maturity_days = 30
cooldown_days = 2
groups = "rest"
leave_out = ["unknown", "not asked"]
notify = "mailto:fairness@example.org"

[[rule]]
indicator = "selection_rate"
attribute = ["sex", "age"]
tolerance = {gap = 0.05}
use_cases = "loans-*"

[[rule]]
name = "errors"
indicator = "false_negative_rate"
attribute = "sex"
tolerance = {ratio = 0.8}
minimum = 200
maturity_days = 0
notify = ["https://hooks.example.org/x"]
strata = ["north", "south"]
"""


def test_a_whole_file(tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(FULL, encoding="utf-8")
    policy = read_policy(file)
    first, second = policy.rules
    assert (policy.name, policy.alpha, policy.groups) == ("loans", 0.01, "rest")
    assert (first.title, first.attribute, str(first.tolerance)) == (
        "selection_rate by sex x age", ("sex", "age"), "gap <= 0.05"
    )  # fmt: skip
    assert (first.minimum, first.maturity_days, first.notify) == (50, 30, ("mailto:fairness@example.org",))
    assert (second.title, second.minimum, second.maturity_days) == ("errors", 200, 0)
    assert second.notify == ("https://hooks.example.org/x",)
    assert first.concerns("loans-eu", "any")
    assert not first.concerns("cards", "any")


def test_a_small_file_has_what_is_written_in_the_docs() -> None:
    policy = parse_policy(RULE)
    rule = policy.rules[0]
    assert (policy.alpha, policy.groups, policy.leave_out) == (0.05, "pairs", ("", "unknown"))
    assert (rule.minimum, rule.maturity_days, rule.cooldown_days, rule.notify) == (100, 0, 7, ())
    assert (rule.tolerance.kind, rule.tolerance.limit) == ("ratio", 0.8)


def test_the_file_in_the_module_is_one() -> None:
    text = module.__doc__.split("::\n")[1]
    assert len(parse_policy("\n".join(line.strip() for line in text.splitlines())).rules) == 1


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("alpha = 2\n" + RULE, ["alpha: 2 is not allowed", "less than 0.5", "type alpha = 0.05"]),
        ("alpha = .05\n" + RULE, ["is not TOML", "line 1", "a digit before the point"]),
        ("alhpa = 0.1\n" + RULE, ["there is no key alhpa (did you mean 'alpha'?)", "minimum"]),
        ("minimum = 0\n" + RULE, ["minimum: 0 is not allowed", "type minimum = 100"]),
        ("", ["rule is missing; type a table under the line [[rule]]"]),
        ("rule = []", ["there is no rule"]),
        ('groups = "all"\n' + RULE, ["groups: 'all' is not allowed", 'type groups = "pairs" or "rest"']),
        ('notify = "me"\n' + RULE, ["notify[1]: 'me' is neither mailto: nor http(s)://"]),
        (RULE + RULE, ["two rules are called 'selection_rate by sex'"]),
        (RULE.replace("{ratio = 0.8}", "0.8"), ["rule[1].tolerance", "{ratio = 0.8} or {gap = 0.05}"]),
        (RULE.replace("{ratio = 0.8}", "{}"), ["rule[1].tolerance: give one of gap and ratio"]),
        (RULE.replace("0.8", "0.8, gap = 0.1"), ["rule[1].tolerance: give one of gap and ratio"]),
        (RULE.replace("0.8", "80"), ["rule[1].tolerance.ratio: 80 is not allowed", "type ratio = 0.8"]),
        (RULE.replace("ratio", "ration"), ["no key rule[1].tolerance.ration (did you mean 'ratio'?)"]),
        (RULE + RULE.replace("attribute", "atribute"), ["rule[2].attribute is missing", "rule[2].atribute"]),
        (RULE.replace('"sex"', "[]"), ["rule[1].attribute: name an attribute", 'type attribute = "sex"']),
        (RULE.replace('"sex"', "3"), ["rule[1].attribute"]),
        ('tell = "closed"\n' + RULE, ["tell[1]: 'closed' is not allowed", "'acknowledged'"]),
        ('[smtp]\nhost = "x"\n' + RULE, ["smtp.sender is missing", 'type sender = "evenhand@example.org"']),
        ('[smtp]\nhost = "x"\nsender = "me"\n' + RULE, ["smtp.sender: 'me' is no address of a mail"]),
        ('[smtp]\nhost = "x"\nsender = "a@b"\nuser = "u"\n' + RULE, ["both of user and password_env"]),
        ('[webhook]\nsecret_env = "a b"\n' + RULE, ["'a b' is no name of an environment variable"]),
        ('[webhook]\nsecret = "x"\n' + RULE, ["no key webhook.secret", "the keys there are secret_env"]),
        (
            "maturity_days = 30\n[retention]\nevents_days = 30\n" + RULE,
            ["retention.events_days is 30, and labels are awaited for 30 days"],
        ),
        ("[retention]\ntexts_days = 0\n" + RULE, ["retention.texts_days: 0 is not allowed"]),
        ('[probes]\nendpoints = "http://x"\n' + RULE, ["probes.endpoints[1]: 'http://x' is no endpoint"]),
        ("webhook = 3\n" + RULE, ["webhook", "a table under the line [webhook]"]),
    ],
)
def test_errors_name_the_key_and_what_to_type(text: str, parts: list[str]) -> None:
    with pytest.raises(BadData) as caught:
        parse_policy(text)
    for part in parts:
        assert part in str(caught.value)


def test_a_missing_file_and_every_key_in_the_help(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="policy file"):
        read_policy(tmp_path / "none.toml")
    assert set(module._KEYS["rule"]) == set(Rule.model_fields)
    assert set(module._KEYS[""]) == {field.alias or name for name, field in Policy.model_fields.items()}


@pytest.mark.parametrize("table", ["webhook", "smtp", "retention", "probes"])
def test_every_key_of_a_table_is_in_the_help(table: str) -> None:
    assert set(module._KEYS[table]) == set(getattr(module, table.title()).model_fields)


def test_an_address_of_a_webhook_is_shown_without_its_path() -> None:
    """The digest is that of `printf %s ADDRESS | sha256sum`."""
    shown = module.shown("https://me:pw@hooks.example.org:8443/T0/canary?key=x")
    assert shown == "https://hooks.example.org:8443/… (4993e429)"
    assert module.shown("mailto:a@b.org") == "mailto:a@b.org"


def test_a_policy_is_json() -> None:
    policy = parse_policy(FULL)
    assert Policy.model_validate_json(policy.model_dump_json()) == policy
