"""Single sign-on: what its file may say, whom that believes, and what it gives them."""

from __future__ import annotations

import json

import pytest

from evenhand.errors import BadData, BadOption, UnknownName
from evenhand.monitor import chain, keys, users
from evenhand.monitor.roles import ROLES, NotAllowed, NotKnown
from evenhand.monitor.service.serving import _enter
from evenhand.monitor.sso import Identity, Unusable, identity, parse_sso, principal

LEAST = 'header = "X-Forwarded-User"\nproxies = ["10.0.7.2"]\n'
WHOLE = f"""{LEAST}
groups_header = "X-Forwarded-Groups"
logout = "/oauth2/sign_out"

[[group]]
name = "loans"
role = "analyst"
use_cases = ["loans"]

[[group]]
name = "admins"
role = "admin"
"""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('header = "X-Forwarded-User"', "proxies is missing"),
        ('header = "X-Forwarded-User"\nproxies = []', "proxies is missing"),
        ('proxies = ["127.0.0.1"]', "header is missing"),
        ('header = "X-User"\nproxies = ["0.0.0.0/0"]', "nearly everybody"),
        ('header = "X-User"\nproxies = ["::/0"]', "nearly everybody"),
        ('header = "X-User"\nproxies = ["0.0.0.0/1", "128.0.0.0/1"]', "nearly everybody"),
        ('header = "X-User"\nproxies = ["10.0.0.0/16", "10.1.0.0/16"]', "10.0.0.0/15"),
        ('header = "X-User"\nproxies = ["::ffff:0.0.0.0/96"]', "nearly everybody"),
        ('header = "X-User"\nproxies = ["0.0.0.0"]', "nearly everybody"),
        ('header = "X-User"\nproxies = ["::"]', "nearly everybody"),
        (
            'header = "X-User"\nproxies = ["10.0.7.2/24"]',
            "a proxy is an address",
        ),  # which of the two is meant?
        ('header = "X-User"\nproxies = ["*"]', "a proxy is an address"),
        ('header = "X-User"\nproxies = ["proxy.example"]', "a proxy is an address"),
        ('header = "X_User"\nproxies = ["10.0.7.2"]', "letters, digits and hyphens"),
        ('header = "X-User\\r\\nX"\nproxies = ["10.0.7.2"]', "letters, digits and hyphens"),
        ('header = "Cookie"\nproxies = ["10.0.7.2"]', "means something else"),
        ('header = "User-Agent"\nproxies = ["10.0.7.2"]', "means something else"),
        ('header = "X-Forwarded-For"\nproxies = ["10.0.7.2"]', "means something else"),
        (f'{LEAST}groups_header = "x-forwarded-user"', "the same"),
        (f'{LEAST}[[group]]\nname = "a"\nrole = "viewer"', "needs groups_header"),
        (f'{LEAST}groups_header = "X-G"\n[[group]]\nname = "a,b"\nrole = "viewer"', "cannot be told"),
        (f'{LEAST}groups_header = "X-G"\n[[group]]\nname = "a"\nrole = "owner"', "group[1].role"),
        (f'{WHOLE}[[group]]\nname = "loans"\nrole = "admin"', "twice"),
        (f'{LEAST}logout = "javascript:alert(1)"', "write a path"),
        (f'{LEAST}logout = "//evil.example"', "write a path"),
        (f'{LEAST}heder = "x"', "did you mean"),
        ("header = X", "is not TOML"),
    ],
)
def test_what_must_not_start(text: str, said: str) -> None:
    with pytest.raises(BadData) as found:
        parse_sso(text)
    assert said in str(found.value)
    assert 'proxies = ["127.0.0.1"]' in found.value.mend


def test_a_wrong_proxy_is_not_called_missing() -> None:
    with pytest.raises(BadData) as found:
        parse_sso('header = "X-User"\nproxies = ["here"]')
    assert "proxies[1]: a proxy is an address" in str(found.value)
    assert "missing" not in str(found.value)


def test_only_the_proxies_are_believed() -> None:
    sso = parse_sso('header = "X-User"\nproxies = ["10.0.7.0/24", "::ffff:192.0.2.1", "2001:db8::1"]')
    believed = ("10.0.7.9", "192.0.2.1", "::ffff:10.0.7.9", "::ffff:192.0.2.1", "2001:db8::1")
    others = ("10.0.8.1", "::1", "127.0.0.1", "2001:db8::2", "", "unix", "10.0.7.9, 10.0.8.1")
    assert [peer for peer in (*believed, *others) if sso.believes(peer)] == list(believed)


def said(**given: bytes | tuple[bytes, ...]) -> Identity | None:
    values = {name: one if isinstance(one, tuple) else (one,) for name, one in given.items()}
    names = {"user": "x-forwarded-user", "groups": "x-forwarded-groups"}
    return identity(parse_sso(WHOLE), {names[name]: one for name, one in values.items()})


def test_who_is_named_and_in_which_groups() -> None:
    assert said(user=b"ada") == Identity("ada")
    assert said(user=" zoë@example.org\t".encode()) == Identity("zoë@example.org")
    assert said(user=b"ada", groups=b"loans, admins,,") == Identity("ada", frozenset({"loans", "admins"}))
    assert said() is said(user=b"") is said(user=b"  ") is said(groups=b"admins") is None


@pytest.mark.parametrize(
    "wrong",
    [
        (b"ada", b"admin"),
        (b"ada", b"ada"),
        (b"", b"admin"),
        b"ada, admin",  # two headers that were joined
        b"ada\xff",
        b"ada\x00",
        "ad\u200bmin".encode(),  # a space without a width
        "\u202enimda".encode(),  # read from right to left
        "ａｄｍｉｎ".encode(),  # full-width letters
        b"x" * 201,
    ],
)
def test_what_is_no_name_is_refused(wrong: bytes | tuple[bytes, ...]) -> None:
    with pytest.raises(Unusable):
        said(user=wrong)


def test_groups_that_came_twice_are_refused() -> None:
    with pytest.raises(Unusable, match="twice"):
        said(user=b"ada", groups=(b"loans", b"admins"))


def test_an_account_of_single_sign_on_or_the_first_group_gives_the_role(store) -> None:
    sso = parse_sso(WHOLE)
    users.add(store, "ada", None, "auditor", use_cases=["jobs"])
    ada = principal(store, sso, Identity("ada", frozenset({"admins"})))
    assert (ada.name, ada.scopes, ada.use_cases) == ("ada", ROLES["auditor"], {"jobs"})
    bob = principal(store, sso, Identity("bob", frozenset({"admins", "loans", "others"})))
    assert (bob.name, bob.scopes, bob.use_cases) == ("sso:bob", ROLES["analyst"], {"loans"})
    eve = principal(store, sso, Identity("eve", frozenset({"admins"})))
    assert (eve.scopes, eve.use_cases) == (ROLES["admin"], None)
    for name, groups in (("mia", ()), ("mia", ("Admins", "admin")), ("Ada", ()), ("ada ", ())):
        with pytest.raises(NotAllowed, match="may do nothing here"):
            principal(store, sso, Identity(name, frozenset(groups)))


def test_no_header_enters_an_account_with_a_password_and_no_password_the_others(store) -> None:
    """Who may choose a name at the proxy does not become the administrator of that name."""
    sso, throttle = parse_sso(WHOLE), users.Throttle()
    users.add(store, "root", "correct horse battery", "admin")
    users.add(store, "ada", None, "admin")
    with pytest.raises(NotAllowed):
        principal(store, sso, Identity("root"))
    assert principal(store, sso, Identity("root", frozenset({"loans"}))).name == "sso:root"
    for password in ("", "correct horse battery"):
        with pytest.raises(NotKnown):
            users.log_in(store, "ada", password, throttle, "")
    token = users.log_in(store, "root", "correct horse battery", throttle, "")
    users.only_by_proxy(store, "root")
    assert principal(store, sso, Identity("root")).scopes == ROLES["admin"]
    with pytest.raises(NotKnown):
        users.principal(store, token)
    with pytest.raises(NotKnown):
        users.log_in(store, "root", "correct horse battery", throttle, "")
    assert [one.sso for one in users.listed(store)] == [True, True]
    with pytest.raises(UnknownName):
        users.only_by_proxy(store, "nobody")


def test_a_disabled_account_shuts_its_person_out_whatever_the_groups(store) -> None:
    users.add(store, "eve", None, "viewer")
    users.disable(store, "eve")
    with pytest.raises(NotAllowed):
        principal(store, parse_sso(WHOLE), Identity("eve", frozenset({"admins"})))


@pytest.mark.parametrize("password", [None, "correct horse battery"])
def test_whoever_is_disabled_does_not_come_back_by_a_group_or_another_case(store, password) -> None:
    users.add(store, "bob", password, "viewer")
    users.disable(store, "bob")
    users.add(store, "BOB", None, "viewer")
    for name in ("bob", "Bob"):
        with pytest.raises(NotAllowed):
            principal(store, parse_sso(WHOLE), Identity(name, frozenset({"admins"})))
    assert (
        principal(store, parse_sso(WHOLE), Identity("BOB")).name == "BOB"
    )  # somebody else, who has an account


def test_that_there_is_no_single_sign_on_any_more_stands_in_the_chain(store) -> None:
    def newest():
        with store.reading() as connection:
            return chain.configuration(connection, "single sign-on")

    _enter(store, None)
    assert newest() is None  # there never was any
    _enter(store, parse_sso(WHOLE))
    assert newest()["header"] == "X-Forwarded-User"
    _enter(store, None)
    assert newest() == {}


def test_who_may_do_what_and_who_said_so_stands_in_the_chain(store) -> None:
    made = keys.create(store, "app", ["read"], use_cases=["jobs"], by="ada").key
    keys.revoke(store, made.id, by="bob")
    keys.revoke(store, made.id, by="eve")  # it has ended already
    users.add(store, "cleo", "correct horse battery", "viewer", by="ada")
    users.only_by_proxy(store, "cleo", by="bob")
    users.disable(store, "cleo", by="ada")
    with store.reading() as connection:
        found = [json.loads(e["content"]) for e in chain.entries(connection) if e["kind"] == "access"]
    assert found == [
        {"key": 1, "made": ["read"], "days": 365, "by": "ada"},
        {"key": 1, "revoked": True, "by": "bob"},
        {"user": 1, "role": "viewer", "sso": False, "by": "ada"},
        {"user": 1, "sso": True, "by": "bob"},
        {"user": 1, "disabled": True, "by": "ada"},
    ]
    assert chain.check(store) == []


@pytest.mark.parametrize("name", ["key:app", "sso:bob", "SSO:bob", "command line: root"])
def test_no_account_is_called_as_if_it_were_another(name: str, store) -> None:
    with pytest.raises(BadOption, match="No user can be called"):
        users.add(store, name, None, "viewer")
