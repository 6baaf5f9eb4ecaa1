"""How the commands of docs/ are made small enough to be tried, and which of them need what is not here."""

from __future__ import annotations

import re

from tests.support.pages import BEFORE, ROOT

HUB, INDEX = "network: a data set or a model of the hub", "network: a package index"
IMAGES, SYSTEMD = "network: the images of Docker's registry", "a machine that systemd has started"
NEEDS = {
    **dict.fromkeys(
        (
            "evenhand measure hf:./model -b lm_eval:hellaswag,download=true",
            "evenhand measure hf:./model -b lm_eval:gsm8k,shots=5",
            "evenhand data pull lambada",
            "evenhand data pull crows_pairs",
            "evenhand reproduce lftf Llama3.2-1B --table 2",
        ),
        HUB,
    ),
    "python perf/projections.py": INDEX,
}
"""Our commands that cannot be done here, each with what it would need. Those that need the hub are typed all
the same: without the network they have to say so."""

NOT_HERE = {
    **dict.fromkeys(("pip", "/opt/evenhand/bin/pip", "vllm", "python -m llama_cpp.server"), INDEX),
    **dict.fromkeys(("make site", "make servers"), INDEX),
    **dict.fromkeys(("hf", "make real"), HUB),
    "docker compose up": IMAGES,
    **dict.fromkeys(("systemctl daemon-reload", "systemctl start", "systemctl stop"), SYSTEMD),
}
"""Beginnings of commands of others that are not run, with the reason."""
BY_CI = ("make test", "make parts", "make engines")
"""What `.ci/run` itself types; they are not run again within themselves."""

ELSEWHERE = {
    "after-the-fact.md": "tests/postprocessing/test_documented.py",
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
    # Programs of others, which must not change this machine.
    (r"(curl) http://localhost:8000/v1", r"\1 --fail --silent {endpoint}"),
    (r"transformers serve MODEL", "transformers serve ./tiny --device cpu"),
    (r"(?<=^useradd )", "--prefix {here}/root "),
    (r"(systemctl) enable --now", r"\1 --root=. enable"),
    (r"(python3 -m venv) /", r"\1 --without-pip ./"),
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
    (r"(db copy \S+ )postgresql://\S+", r"\1{postgres}/moved"),
    (r"postgresql://evenhand@host", "{postgres}"),
    (r"ray://head:10001\?\S+&memory=20GB", "{ray}?cpus=1&gpus=0&memory=1GB"),
    (r"(?<=[ =])/(var|etc|backup|tmp|shared)/", r"{here}/\1/"),
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
    (r"(docs/reference.py)$", r"\1 --check"),
    (r"(python -m pytest) .* (?=-m )", rf"\1 --collect-only --quiet {ROOT}/tests/records "),
    # One case of the bench, one row of a table, one batch; that verdicts are right, test_validity.py says.
    (r"(perf\.bench(?: .*)?)$", r"\1 --rounds 1 --items 2 --only locate_bmi --history history.jsonl"),
    (r"(perf\.bench\.footprint)$", r"\1 --only 'llama, 4 x 256' --job measure"),
    (r"(perf\.monitor_load) .*", r"\1 --events 1000 --seconds 1 --clients 2"),
    (r"(perf\.validity run\b.*)", r"\1 --minutes 0"),
    (r"(perf/coverage\.py\b.*)", r"\1 --quick --only twins"),
    (
        r"(perf/faircon.py)$",
        r"\1 --train 40 --dev 24 --test 24 --rounds 1 --adversaries 1 --seeds 1 --lam 0,1 --more ,rounds=1",
    ),
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
    "perf/faircon.py": {0, 1},
    "perf/gumbel.py": {0, 1},
    "perf.audit_simulations": {0, 1},
    "evenhand ls | head -1": {141},
    "evenhand measure hf:./model -b lm_eval:gsm8k,shots=5": {2, 4},
    "evenhand measure openai:http://localhost:8000/v1#org/model"
    " -b toxicity:file=prompts.jsonl,classifier=lexicon,k=2": {2},  # a vendor refuses the seed
    "pytest -p no:evenhand": {1},  # gates are errors then: nobody knows their fixture
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


def rewritten(line: str, **places: str) -> str:
    """A command of a page as it is run, with what stands for `endpoint`, `postgres`, `ray` and `here`."""
    short = line
    for found, instead in REWRITES:
        short = re.sub(found, instead, short)
    short = BEFORE.sub("", short, count=1)
    short = re.sub(r"( -b | --with )(\S+)", lambda one: one[1] + smaller(one[2]), short)
    verb = short.split()[1]
    if verb in TRIAL and not PLANNED.search(short) and not AGAIN.match(short):
        program, *rest = re.split(r"(?= && | > )", short, maxsplit=1)
        trial = TRIAL[verb].removesuffix(" --control none") if "--budget" in program else TRIAL[verb]
        trial = trial.replace("none", "reduced") if "--on" in program else trial
        short = "".join([f"{program} {trial}", *rest])
    for name, place in places.items():
        short = short.replace(f"{{{name}}}", place)
    return short


def reason(line: str) -> str:
    """Why a command is not run here; empty for one that is."""
    begins = (why for words, why in NOT_HERE.items() if line == words or line.startswith(f"{words} "))
    return NEEDS.get(line) or next(begins, "")
