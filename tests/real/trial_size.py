"""How the commands of docs/ are made small enough to be tried, and which of them need what is not here."""

from __future__ import annotations

import re

from tests.support.pages import BEFORE, ROOT

POSTGRES = "a PostgreSQL server: tests/monitor/test_drills.py and store/test_copying.py do this"
MINUTES = "minutes of nothing else on the machine: a measurement of performance"
INDEX = "network: a package index"
RAY = "a Ray cluster: tests/real/test_ray.py runs such commands"
TRAINING = (
    "minutes of training: tests/real/test_validity.py and tests/mitigations/test_faircon.py try the parts"
)
UNTYPED = (MINUTES, TRAINING, INDEX, RAY)
NEEDS = {
    "evenhand measure hf:./model -b lm_eval:hellaswag,download=true": "network: a data set of the hub",
    "evenhand measure hf:./model -b lm_eval:gsm8k,shots=5": "network: a data set of the hub, fetched before",
    "evenhand monitor verify --database postgresql://evenhand@host/drill --data /tmp/drill": POSTGRES,
    "evenhand monitor serve --database postgresql://evenhand@host/drill --data /tmp/drill"
    " --port 8751": POSTGRES,
    "evenhand study run study.toml --on ray": RAY,
    'evenhand study run study.toml --on "ray://head:10001?cpus=4&gpus=1&memory=20GB"'
    " --out /shared/study": RAY,
    "evenhand verify hf:./model --with lftf --on ray://auto": RAY,
    **dict.fromkeys(
        (
            "OMP_NUM_THREADS=1 python -m perf.bench.footprint",
            "python -m perf.bench --size small --rounds 3 --threads 1 --clock cpu",
            "python -m perf.monitor_load --events 1000000 --seconds 30",
        ),
        MINUTES,
    ),
    "python -m perf.validity run": TRAINING,
    "python perf/faircon.py": TRAINING,
    "python perf/projections.py": INDEX,
    "evenhand data pull lambada": "network: a data set of the hub",
    "evenhand data pull crows_pairs": "network: a data set",
    "evenhand monitor messages test --policy policy.toml": "network: a mail server and a webhook",
    "evenhand monitor db copy /var/lib/evenhand/monitor.sqlite postgresql://evenhand@host/evenhand": POSTGRES,
    "evenhand reproduce lftf Llama3.2-1B --table 2": "network: a model of the hub",
}
"""What cannot be done here, each with what it would need. Where nothing would be started or waited for it is
typed all the same: without the network or the server it has to say so."""

PROGRAMS = {
    "make": "this repository's own, most of minutes: `.ci/run` types those that a change has to pass",
    "pip": INDEX,
    "/opt/evenhand/bin/pip": INDEX,
    "hf": "network: the hub",
    **dict.fromkeys(("curl", "vllm", "transformers", "python"), "servers of others: `make servers`"),
    "pytest": "the reader's own tests",
    "python3": "a machine of one's own to change",
    "useradd": "a machine of one's own to change",
    "systemctl": "a machine of one's own to change",
    "printf": "Docker",
    "docker": "Docker",
    **dict.fromkeys(("pg_dump", "pg_restore", "createdb", "dropdb"), POSTGRES),
    **dict.fromkeys(("auth_request_set", "proxy_set_header"), "no command: lines of a file for nginx"),
}
"""What starts the lines that are not ours, with the reason why they are not run."""

ELSEWHERE = {
    "after-the-fact.md": "tests/postprocessing/test_documented.py",
    "recorded.md": "tests/cli/test_recorded_page.py",
}
"""Pages whose Python is run, and looked at more closely, by another test."""

DATA = {
    "-b honest": "honest/binary/en_template.tsv",
    "-b seat": "seat/sent-weat6.jsonl",
    "task=adult": "adult/adult.data",
    "stereoset:task": "stereoset/ptbr_llm.csv",
}
"""What asks for a data set that has to be fetched, and a file of it; without it a command is not run."""

REWRITES: tuple[tuple[str, str], ...] = (
    # Placeholders: which of a name's meanings is meant says what stands beside it.
    (r"\bBASE --treated MODEL\b", "hf:./base --treated hf:./ours"),
    (r"\bSOURCE MODEL\b", "lftf lab:causal"),
    (r"(?<= )MODEL\b", "lab:causal"),
    (r"\bMETHOD\b", "lftf"),
    (r"\bBENCHMARK\b", "genbiaseval"),
    (r"\bcompare A B\b", "compare a b"),
    (r"\bingest FILE\b", "ingest events.jsonl"),
    (r"\bvalidate FILE\b", "validate evenhand.toml"),
    (r"\bFILE\.toml\b", "study.toml"),
    (r"\bretry ID\b", "retry 1"),
    (r"\berase ID ID\b", "erase a-4711 a-4712"),
    (r"\btesting plurals\b", "testing definitional"),
    (r"\bguest:thing\b", "hf:./tiny"),
    (r"docker compose exec \w+ (evenhand .*)", r"\1 --data ./var/lib/container"),
    (r"hf:org/name", "lab:decisions"),  # a model of the hub that decides about people
    (r"hf:org/(\w+)", r"hf:./\1"),
    (r"openai:https?://[\w.:-]+/v1(\??[^#\s']*)#[\w/.-]+", r"openai:{endpoint}\1#tiny"),
    (r"(?<= )/(var|etc|backup|tmp|shared)/", r"./\1/"),
    (r"(?<= )(deploy)/", rf"{ROOT}/\1/"),
    (r"\bRUN\b", "run"),
    (r"\$SLURM_ARRAY_TASK_ID", "1"),
    (r"search=score,budget=200", "search=score,budget=4"),
    # Tables with DAMA and the editing methods take minutes.
    (r"(reproduce lftf (?:lab:causal|hf:\./llama --as \S+))$", r"\1 --table 2"),
    (r"(reproduce lftf .*)--table 4", r"\1--table 2"),
    (r"--seeds 5", "--seeds 2"),
    (r"blocks=21\+22\+23,components=1024,prompts=0", "blocks=0+1,components=4,prompts=8"),
    # What follows on the page is of the newest schema.
    (r"(db downgrade \d+)", r"\1 && evenhand monitor db upgrade"),
    (r"(perf/decisions.py\b.*)", r"\1 --n 16 --draws 2 --shots 4"),
    (r"--budget 20\b", "--budget 0.01"),
    (r"n=300,train=200,dev=100", "n=24,train=48,dev=24"),
    (r"edits=1[05]0", "edits=4"),
    (r"iterations=150", "iterations=2"),
    (r"(perf.audit_simulations)$", r"\1 --draws 2"),
    (r"(perf/gumbel.py)$", r"\1 --steps 20"),
    (r"(perf.validity tables)$", r"\1 --folder perf/validity/readings/7cd6b42"),
    (r"(?<= )perf/validity/", rf"{ROOT}/perf/validity/"),
)
"""What a command says that is not here or is too large, and what stands for it."""

SMALLER = {
    "causal_tracing": "prompts=4",
    "crows_tuning": "epochs=1",
    "dama": "prompts=8",
    "decisions": "n=24,train=48,dev=24",
    "dpo": "epochs=1",
    "fair_prompt": "rounds=1,budget=8",
    "faircon": "rounds=1",
    "full_finetune": "epochs=1",
    "lftf": "epochs=1",
    "neurons": "steps=1",
    "pcgu": "epochs=1",
}
"""Options of a component that make it quick, for those that a command does not give itself."""

TRIAL = {
    "measure": "--limit 8",
    "verify": "--limit 8 --control none",
    "reproduce": "--limit 4 --budget 0.01",
}
AGAIN = re.compile(r"evenhand verify (kept|judged)/")  # judged anew, a stored run refuses other options
PLANNED = re.compile(r"--(plan|limit|print-config)\b")
CODES = {
    "gate": {0, 1, 3},
    "verify": {0, 3},
    "reproduce": {0, 3},
    "lint": {0, 1},
    "audit": {0, 1},
    "perf/decisions.py": {0, 1},
    "perf/gumbel.py": {0, 1},
    "perf.audit_simulations": {0, 1},
    "evenhand ls | head -1": {141},
    "evenhand measure hf:./model -b lm_eval:gsm8k,shots=5": {2, 4},
}
"""What a trial of this size finds is not the point here."""
PYTHON = (
    (r"(evenhand\.measure\([^)]*)\)", r"\1, limit=8)"),
    (r'out="kept"', 'out="kept", limit=8, control="none"'),
)


def smaller(spec: str) -> str:
    """A component with its quick options before those that it has."""
    name, _, own = spec.partition(":")
    has = {one.partition("=")[0] for one in own.split(",")} | ({"n"} if "test=" in own else set())
    more = [one for one in SMALLER.get(name, "").split(",") if one and one.partition("=")[0] not in has]
    return f"{name}:{','.join([*more, *filter(None, [own])])}" if more else spec


def rewritten(line: str, endpoint: str) -> str:
    """A command of a page as it is run."""
    short = line
    for found, instead in REWRITES:
        short = re.sub(found, instead, short)
    short = BEFORE.sub("", short, count=1)
    short = re.sub(r"( -b | --with )(\S+)", lambda one: one[1] + smaller(one[2]), short)
    verb = short.split()[1]
    if verb in TRIAL and not PLANNED.search(short) and not AGAIN.match(short):
        program, *rest = re.split(r"(?= && | > )", short, maxsplit=1)
        trial = TRIAL[verb].removesuffix(" --control none") if "--budget" in program else TRIAL[verb]
        short = "".join([f"{program} {trial}", *rest])
    return short.replace("{endpoint}", endpoint)
