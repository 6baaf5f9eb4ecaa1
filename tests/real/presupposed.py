"""What pages of docs/ take for granted: files, models and servers, as small as they can be."""

from __future__ import annotations

import csv
import gzip
import json
import random
import re
import shutil
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from evenhand import registry, sources
from evenhand.cli import main
from evenhand.monitor import outbox
from evenhand.monitor.changes import Message
from evenhand.monitor.store import open_store
from evenhand.monitor.store.opening import utc_now
from evenhand.opening import open_model
from evenhand.studies.measure import requests
from evenhand.testing import tiny
from tests.monitor.made import raw
from tests.plugin import installing
from tests.support import families, pages
from tests.support.harness import ROWS
from tests.support.server import Handler, status
from tests.support.small_study import SMALL

Given = Callable[[str], Any]
"""Writes files into the current folder; it is given the page's text."""
FILTERED = "gun"
SAVED = Path(__file__).parents[1] / "golden" / "saved"


def model(name: str, *, seed: int = 0) -> None:
    """A folder with a tiny causal model."""
    made = tiny.model("llama", seed=seed, max_position_embeddings=1024)
    made.module.save_pretrained(name)
    made.tokenizer.save_pretrained(name)


def decider(name: str) -> Given:
    """A folder with the lab's model that decides about people."""

    def write(_: str) -> None:
        made = open_model("lab:decisions")
        made.module.save_pretrained(name)
        made.tokenizer.save_pretrained(name)

    return write


def encoder(name: str) -> Given:
    """A folder with a tiny BERT."""

    def write(_: str) -> None:
        made = families.masked("bert")
        made.module.save_pretrained(name)
        made.tokenizer.save_pretrained(name)

    return write


def models(*names: str) -> Given:
    """Folders with tiny models of unlike weights."""

    def write(_: str) -> None:
        for seed, name in enumerate(names):
            model(name, seed=seed)

    return write


def _table(name: str, rows: Iterable[dict[str, Any]]) -> None:
    rows = list(rows)
    opened = gzip.open if name.endswith(".gz") else open
    with opened(name, "wt", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _people() -> list[dict[str, Any]]:
    chance = random.Random(0)
    rows = []
    for _ in range(2400):
        sex = chance.choice(("male", "female"))
        favoured = int(chance.random() < (0.6 if sex == "male" else 0.4))
        about = {
            "age": chance.randrange(20, 65),
            "sex": sex,
            "race": chance.choice(("white", "black", "asian")),
        }
        outcomes = dict.fromkeys(("income", "hired", "selected", "approved"), favoured)
        rows.append(
            {**about, "job": f"{chance.choice(('nurse', 'clerk'))} {chance.randrange(20)}", **outcomes}
        )
    return rows


def people(_: str) -> None:
    """Tables of people, as CSV, in parts and as parquet."""
    import pandas as pd

    rows = _people()
    for name in ("people.csv", "decisions.csv"):
        _table(name, rows)
    for number in (1, 2):
        _table(f"part-{number}.csv.gz", rows[number::2])
    for name in ("people.parquet", "new.parquet"):
        pd.DataFrame(rows).to_parquet(name)


def texts(_: str) -> None:
    """A corpus of two files."""
    Path("corpus").mkdir()
    for number, name in enumerate(("a", "b")):
        lines = [f"{('He', 'She')[i % 2]} was a nurse in {1900 + number + i}." for i in range(60)]
        Path(f"corpus/{name}.txt").write_text("\n".join(lines))


def published(_: str) -> None:
    """A table with the columns that Local Law 144 asks for."""
    rates = {"Female": (400, 120, 0.30, 0.75), "Male": (500, 200, 0.40, 1.0)}
    heads = ("number_of_applications", "n_selected_or_n_above_median", "result", "impact_ratio")
    _table(
        "published.csv", [{"sex": sex, **dict(zip(heads, row, strict=True))} for sex, row in rates.items()]
    )


def tables(_: str) -> None:
    """Tables as a paper prints them."""
    rows = [
        {"model": f"m{i}", "first": 0.1 + i / 50, "second": 0.2 + i / 40, "impact_ratio": 0.5 + i / 7}
        | {"word": 0.4, "phrase": 0.5, "all": 0.45}
        for i in range(4)
    ]
    for name in ("table.csv", "table1.csv", "table2.csv", "table3.csv"):
        _table(name, rows)


def block(kind: str, number: int, name: str, more: str = "") -> Given:
    """The page's own block of that language, counted from 0, as a file."""

    def write(page: str) -> None:
        text = pages.blocks(page, kind)[number] + more
        Path(name).write_text(text, encoding="utf-8")

    return write


def folder(name: str) -> Given:
    """An empty folder."""
    return lambda _: Path(name).mkdir()


def study(_: str) -> None:
    """A study of seconds."""
    model("tiny")
    Path("study.toml").write_text(f'models = ["hf:./tiny"]\n{SMALL}')


def few(page: str) -> None:
    """The page's study with a cell for each of two methods, each of seconds."""
    text = pages.blocks(page, "toml")[0]
    for large, small in (
        ("lr = [1e-5, 1e-4, 1e-3]", "epochs = 1"),
        ('  {with = "lftf:loss=mass_preserving", name = "mass preserving"},\n', ""),
        ('  "full_finetune",\n', ""),
        ('control = "standard"\nseeds = [0, 1, 2]', 'control = "none"\nseeds = [0]\nlimit = 8'),
    ):
        assert large in text
        text = text.replace(large, small)
    Path("gender.toml").write_text(text)


def stored(*names: str) -> Given:
    """Finished verifications under these names."""

    def write(_: str) -> None:
        for name in names:
            shutil.copytree(SAVED / "run", name)

    return write


def prompts(_: str) -> None:
    """Two prompts, answers to them, and what a vendor's batch gives back."""
    said = ("The nurse said", "The doctor said")
    Path("prompts.jsonl").write_text("".join(f"{json.dumps({'prompt': one})}\n" for one in said))
    text = " that it was late."
    Path("answers.jsonl").write_text(
        "".join(f"{json.dumps({'prompt': one, 'completion': text})}\n" for one in said)
    )
    body = {"choices": [{"message": {"content": text}, "finish_reason": "stop"}]}
    ids = ("toxicity/file/1#0", "toxicity/file/2#0")
    lines = [{"custom_id": i, "response": {"status_code": 200, "body": body}, "error": None} for i in ids]
    Path("batch_output.jsonl").write_text("\n".join(map(json.dumps, lines)))


def scores(page: str) -> None:
    """Scores of every sample of StereoSet, each line as the page shows one."""
    if sources.find(sources.entry("stereoset/ptbr_llm.csv")) is None:
        return
    shown = json.loads(pages.blocks(page, "json")[0])
    samples = registry.create("benchmark", "stereoset:task=both,ties=anti").load()
    Path("scores.jsonl").write_text("\n".join(json.dumps({**shown, "sample": one.id}) for one in samples))


def answers(_: str) -> None:
    """Log-probabilities of two models for all that `genbiaseval` and `facts` ask."""
    asked = [one for name in ("genbiaseval", "facts") for one in requests(registry.create("benchmark", name))]
    for name, gap in (("before.jsonl", 0.8), ("after.jsonl", 0.2)):
        lines = [
            {
                "sample": one.sample,
                "request": one.index,
                "logprob": -2.0 - gap * (one.index % 2) - number % 97 / 100,
                "n_tokens": 1,
            }
            for number, one in enumerate(asked)
        ]
        Path(name).write_text("\n".join(map(json.dumps, lines)))


def task(_: str) -> None:
    """A task of the harness, and its questions."""
    shutil.copy(ROWS.with_name("questions.yaml"), "task.yaml")
    shutil.copy(ROWS, "rows.jsonl")


def guest(_: str) -> None:
    """The package of docs/testing.md, installed into a folder of its own."""
    Path("site").mkdir()
    installing.install(Path("site"))


def german(_: str) -> None:
    """A text in German."""
    Path("german.txt").write_text("Die Katze sitzt auf dem Tisch und schläft.\n" * 20, encoding="utf-8")


def policy(_: str) -> None:
    """The policy that comes with the service."""
    shutil.copy(pages.ROOT / "deploy/policy.toml", "policy.toml")


def events(_: str) -> None:
    """Two decisions."""
    rows = [raw(name) for name in ("a-4711", "a-4712")]
    Path("events.jsonl").write_text("\n".join(map(json.dumps, rows)))


def unsent(_: str) -> None:
    """A monitor with a message that could not be sent for a day."""
    content = {"use_case": "loans"}
    with closing(open_store(Path("var/lib/evenhand"))) as store:
        now = utc_now()
        message = Message("key", "opened", "https://hooks.example.org/evenhand", content)
        store.write(lambda connection: outbox.put(connection, [message], now))
        (waiting,) = outbox.due(store, now)
        outbox.note(store, waiting, "it answered 503", now + outbox.GIVE_UP)


def held(_: str) -> None:
    """A monitor that knows a decision, and keeps its use case from retention and erasure."""
    Path("before.jsonl").write_text(json.dumps(raw("a-4710")))
    assert main(["monitor", "ingest", "before.jsonl"]) == 0
    assert main(["monitor", "hold", "add", "--use-case", "loans", "--why", "case 7"]) == 0


def service(page: str) -> None:
    """A machine with a monitor that knows two decisions: folders, a policy, a database."""
    for name in ("etc/systemd/system", "root/etc", "opt", "backup", "tmp", "var/lib/evenhand"):
        Path(name).mkdir(parents=True)
    events(page)
    assert main(["monitor", "ingest", "events.jsonl"]) == 0


def filled(server: str) -> None:
    """Two bases of a PostgreSQL server: the same monitor as the machine's, and an empty one."""
    import psycopg

    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        for name in ("evenhand", "moved"):
            connection.execute(f"create database {name}")
    assert main(["monitor", "ingest", "events.jsonl", "--database", f"{server}/evenhand"]) == 0


def sent_to(web: str, port: int) -> None:
    """Let the policy, where there is one, send to these servers in the place of others' machines."""
    path = Path("policy.toml")
    if path.exists():
        text = path.read_text("utf-8").replace("https://hooks.example.org/evenhand", web)
        here = f'host = "127.0.0.1"\nport = {port}\nsecurity = "none"'
        path.write_text(re.sub('^host = "smtp.example.org"', here, text, flags=re.MULTILINE), "utf-8")


def asked_of_a_vendor(_: str) -> None:
    """Prompts about 31 men and 29 women, five of which `vendor` does not answer."""
    lines = []
    for number in range(60):
        who, group = ("man", "male") if number < 31 else ("woman", "female")
        about = FILTERED if number in (2, 12, 22, 40, 50) else "book"
        lines.append({"prompt": f"The {who} with number {number} took the {about}", "group": group})
    Path("prompts.jsonl").write_text("\n".join(map(json.dumps, lines)))


def vendor(handler: Handler) -> bool:
    """Refuse as a vendor does what is about a gun, and that these prompts are asked with a seed."""
    body = handler.body
    asked = str(body.get("prompt") or body["messages"][-1]["content"])
    if "with number" not in asked:
        return False
    if "seed" in body:
        return status(400, {"error": {"message": "Unsupported parameter: 'seed'", "param": "seed"}})(handler)
    filtered = {"message": "The content was filtered.", "code": "content_filter"}
    return FILTERED in asked and status(400, {"error": filtered})(handler)


def location(_: str) -> None:
    """What a locator found."""
    model("tiny")
    assert main(["locate", "hf:./tiny", "--with", "bmi", "--out", "loc"]) == 0


PROFESSIONS = "\n".join(
    f'p{n} = ["tut {n}", "ein M{x}", "eine F{x}"]' for n, x in enumerate("abcdefghijklmnopqr")
)
pack = block("toml", 0, "pack.toml", PROFESSIONS)
