"""Pages about the monitor and the files in deploy/: every command is one, and the drills for SQLite work."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
import typer

from evenhand.cli import main
from evenhand.cli.app import app

yaml = pytest.importorskip("yaml")
pytest.importorskip("sqlalchemy")

from evenhand.monitor.ingest import take  # noqa: E402
from evenhand.monitor.policy import parse_policy, read_policy  # noqa: E402
from evenhand.monitor.sending import Sender  # noqa: E402
from evenhand.monitor.sso import read_sso  # noqa: E402
from evenhand.monitor.store import open_store  # noqa: E402
from evenhand.monitor.watching import check  # noqa: E402
from tests.monitor.made import decision  # noqa: E402
from tests.support.pages import blocks  # noqa: E402

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
PAGES = [ROOT / "docs" / "operations.md", ROOT / "docs" / "monitor.md"]
SPAN = re.compile(r"`(evenhand [^`]+)`")


def commands(text: str) -> list[list[str]]:
    """The arguments of each evenhand command in indented lines and in code spans."""
    joined = re.sub(r"\\\n\s*", " ", text)
    lines = [line.strip() for line in joined.splitlines() if line.startswith("    ")]
    spans = [" ".join(one.split()) for one in SPAN.findall(joined)]
    found = [re.search(r"(?:^|[\s/])evenhand ((?:monitor|gate|measure) .*)", line) for line in lines + spans]
    return [shlex.split(one[1].partition(" |")[0].replace(" ID", " 1")) for one in found if one]


def parsed(arguments: list[str]) -> None:
    """Parse a command as the command line does, without running it; its error if it is none."""
    command: Any = typer.main.get_command(app)
    context = command.context_class(command)
    while hasattr(command, "get_command"):
        name, *arguments = arguments
        command = command.get_command(context, name)
        assert command is not None, f"There is no command {name}."
        context = command.context_class(command, parent=context, info_name=name)
    command.make_context(context.info_name, arguments, parent=context.parent)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_the_page_is_one(page: Path) -> None:
    found = commands(page.read_text("utf-8"))
    assert len(found) > 8
    for one in found:
        parsed(one)


@pytest.mark.parametrize(
    "wrong", ["monitor hold lst", "monitor erase a", "monitor serve --nothing", "monitor messages retry x"]
)
def test_a_command_that_is_none_is_found(wrong: str) -> None:
    (found,) = commands(f"    sudo -u x /opt/bin/evenhand {wrong}\n")
    with pytest.raises(Exception, match=r"No such|no command|Missing|valid integer"):
        parsed(found)


def test_every_file_that_the_page_names_is_there() -> None:
    named = set(re.findall(r"deploy/[\w.-]+", PAGES[0].read_text("utf-8")))
    assert {"deploy/Caddyfile", "deploy/nginx.conf", "deploy/policy.toml"} < named
    assert [one for one in sorted(named) if not (ROOT / one).exists()] == []


def test_the_unit_starts_the_service_with_options_that_exist() -> None:
    (line,) = re.findall(r"^ExecStart=(.+)$", (DEPLOY / "evenhand-monitor.service").read_text(), re.MULTILINE)
    program, *arguments = shlex.split(line)
    assert program == "/opt/evenhand/bin/evenhand"
    parsed(arguments)


def test_the_compose_file_starts_the_service_with_options_that_exist() -> None:
    found = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    services = found["services"]
    assert set(services) == {"database", "monitor", "proxy"}
    parsed(["monitor", *services["monitor"]["command"]])
    built = services["monitor"]["build"]
    assert (DEPLOY / built["context"] / built["dockerfile"]).resolve() == DEPLOY / "Containerfile"
    for service in services.values():
        for one in service.get("volumes", ()):
            name = one.partition(":")[0]
            assert name in found["volumes"] or (DEPLOY / name).exists()
        # A comma outside of quotes begins another entry, which is no path.
        assert all(one.startswith("/") for one in service.get("tmpfs", ()))
    trusted = services["monitor"]["command"]
    network = found["networks"]["default"]["ipam"]["config"][0]["subnet"]
    assert trusted[trusted.index("--trust-proxy") + 1] == network


def test_the_container_copies_what_is_there_and_starts_the_service() -> None:
    text = (DEPLOY / "Containerfile").read_text()
    for line in re.findall(r"^COPY (?!--)(.+)$", text, re.MULTILINE):
        assert [one for one in line.split()[:-1] if not (ROOT / one).exists()] == []
    last = re.findall(r"^(?:ENTRYPOINT|CMD) (\[.+\])$", text, re.MULTILINE)
    entry, command = map(json.loads, last)
    parsed([*entry, *command][1:])


def test_the_policy_can_be_used() -> None:
    policy = read_policy(DEPLOY / "policy.toml")
    check(policy)
    assert Sender.of(policy).receivers == frozenset()
    # What is commented out there can be used as it stands.
    text = re.sub(r"^# (?=\[|\w+ = )", "", (DEPLOY / "policy.toml").read_text(), flags=re.MULTILINE)
    whole = parse_policy(text)
    assert whole.smtp is not None
    assert whole.webhook.secret_env == "EVENHAND_WEBHOOK_SECRET"


def test_the_single_sign_on_can_be_used_and_has_the_headers_that_nginx_sets() -> None:
    sso = read_sso(DEPLOY / "sso.toml")
    assert (sso.groups[0].name, sso.groups[0].role) == ("fairness-admins", "admin")
    text = (DEPLOY / "nginx-oauth2-proxy.conf").read_text()
    passed_on = [part for part in text.split("location ") if ":8750" in part]
    assert len(passed_on) == 2
    for name in (sso.header, sso.groups_header):
        assert all(f"proxy_set_header {name} " in part for part in passed_on), name


def test_what_the_page_shows_of_nginx_is_in_its_file() -> None:
    (block,) = blocks(PAGES[0].read_text("utf-8"), "nginx")
    bare = {
        " ".join(line.partition("#")[0].split())
        for line in (DEPLOY / "nginx-oauth2-proxy.conf").read_text("utf-8").splitlines()
    }
    assert {" ".join(line.split()) for line in block.splitlines()} <= bare


def test_the_page_writes_every_variable_that_the_compose_file_asks_for() -> None:
    (line,) = re.findall(r"^ *printf '(.*)'", PAGES[0].read_text("utf-8"), re.MULTILINE)
    asked = re.findall(r"\$\{(\w+):\?", (DEPLOY / "compose.yaml").read_text("utf-8"))
    assert set(re.findall(r"([A-Z_]+)=", line)) == set(asked)


def test_the_drill_finds_a_whole_copy_and_an_altered_one(tmp_path, capsys) -> None:
    data, drill, backup = tmp_path / "data", tmp_path / "drill", tmp_path / "backup.sqlite"
    store = open_store(data)
    take(store, [decision("a"), decision("b")])
    assert main(["monitor", "keys", "create", "--name", "app", "--data", str(data)]) == 0
    assert main(["monitor", "db", "backup", str(backup), "--data", str(data)]) == 0
    take(store, [decision("c")])  # after the backup
    store.close()
    drill.mkdir(mode=0o700)
    shutil.copy(data / "secret.key", drill / "secret.key")
    shutil.copy(backup, drill / "monitor.sqlite")
    assert main(["monitor", "verify", "--data", str(drill)]) == 0
    capsys.readouterr()
    assert main(["monitor", "keys", "ls", "--data", str(drill), "--json"]) == 0
    assert [one["name"] for one in json.loads(capsys.readouterr().out)["keys"]] == ["app"]
    restored = open_store(drill)
    outcome = take(restored, [decision("b"), decision("c")])  # what clients kept is sent again
    assert (outcome.accepted, outcome.duplicates) == (1, 1)
    restored.write(lambda connection: connection.exec_driver_sql("update predictions set decision = 0"))
    restored.close()
    assert main(["monitor", "verify", "--data", str(drill)]) == 1


def test_down_and_up_again_as_the_page_says(tmp_path) -> None:
    store = open_store(tmp_path)
    take(store, [decision("a")])
    store.close()
    data = ["--data", str(tmp_path)]
    assert main(["monitor", "db", "downgrade", "0010", *data]) == 0
    assert main(["monitor", "verify", *data]) == 4  # another version's schema
    assert main(["monitor", "db", "upgrade", *data]) == 0
    assert main(["monitor", "verify", *data]) == 0
