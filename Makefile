# Everything happens inside .venv in this folder; only Python, make and a package index are needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# The lab's models, trained on first use; `make demo` and `make test` share them.
export EVENHAND_CACHE ?= $(CURDIR)/.cache/evenhand
# Tests start this package a hundred times; where its compiled modules may not be kept, each start compiles them again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo harness test test-all parts engines lowest mutants check format bench servers tables validity real docs notebooks site clean

# To compile all that is installed takes a minute; what is imported is compiled then, and most of it at once below,
# a group of packages to a core.
INSTALL := -m pip install --no-compile --quiet --progress-bar off --disable-pip-version-check
IMPORTED := torch,peft scipy.stats,sklearn.linear_model,pandas,pyarrow.parquet,ibis,duckdb,fastapi,sqlalchemy,rich.table

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python $(INSTALL) -c constraints.txt -e '.[hf,gguf,fairness,audit,monitor,postgres,dev]'
	$(BIN)/python -m compileall -q src/evenhand
	printf '%s\n' $(IMPORTED) | xargs -P 2 -I{} $(BIN)/python -c 'import {}'
	@touch $@

# Extras beside the rest, each with a mark of its own: few need a kernel, a browser or a cluster.
EXTRAS := $(addprefix $(VENV)/.,lm-eval browser notebooks ray servers spark)
$(EXTRAS): $(VENV)/.%: $(READY)
	$(BIN)/python $(INSTALL) -c constraints.txt -e '.[$*]'
	@touch $@

# Only the tests beside the harness need it (docs/adr/0010).
HARNESS := $(VENV)/.lm-eval

harness: $(HARNESS)  ## the LM evaluation harness; without it the tests beside it are skipped

demo: $(READY)  ## the main job, offline, on the lab model
	$(BIN)/evenhand demo

# One thread a worker: small models gain nothing from more, and threads of several workers slow each other down.
# One worker more than cores: some tests wait for a clock or another process.
WORKERS = $(shell $(PYTHON) -c 'import os; print(min(4, (os.cpu_count() or 1) + 1))')
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --dist loadfile -n

# What is deselected in tests/real need not be imported.
test: $(READY)  ## the tests, in under 10 minutes on 2 cores
	$(PYTEST) $(WORKERS) --ignore tests/real

test-all: $(READY)  ## the tests and the slow proofs
	$(PYTEST) $(WORKERS) -m 'not lowest and not real and not real_server and not spark'

# Only what is looked at in a browser needs the one that drives it (docs/adr/0034).
BROWSER := $(VENV)/.browser

# A Jupyter kernel brings many packages (docs/adr/0038).
NOTEBOOKS := $(VENV)/.notebooks

notebooks: $(NOTEBOOKS)  ## executes docs/notebooks, and keeps their outputs
	$(BIN)/python docs/notebooks.py

# Only studies on a cluster need it (docs/adr/0047).
CLUSTER := $(VENV)/.ray

# What `transformers serve` needs (docs/adr/0046).
SERVERS := $(VENV)/.servers

# An environment of its own: llama.cpp is compiled from its source, which takes minutes and a compiler.
LLAMA := $(VENV)/.llama-cpp
$(LLAMA)/.ready:
	$(PYTHON) -m venv $(LLAMA)
	$(LLAMA)/bin/python $(INSTALL) 'llama-cpp-python[server]>=0.3.36,<0.4'
	@touch $@

servers: $(READY) $(LLAMA)/.ready  ## log-probabilities of llama.cpp's server beside ours; of vLLM's where EVENHAND_VLLM names its Python
	EVENHAND_LLAMA_CPP=$(CURDIR)/$(LLAMA)/bin/python $(BIN)/python -m pytest -rA -m real_server tests/real

parts: $(BROWSER) $(NOTEBOOKS) $(SERVERS) $(CLUSTER)  ## what needs a browser, a server of its own, kills or minutes of verdicts; .ci/run installs the browser
	$(PYTEST) auto --dist load -m real tests/real

# PySpark is half a gigabyte, and one test needs it.
SPARK := $(VENV)/.spark

engines: $(SPARK)  ## audits through PostgreSQL and Spark, the monitor on PostgreSQL with two replicas; .ci/run installs the server and Java
	EVENHAND_ENGINES=all EVENHAND_REPLICAS=2 OMP_NUM_THREADS=1 \
	  $(BIN)/python -m pytest -m 'postgres or spark' tests/frames tests/monitor

lowest: $(READY)  ## what works with the lowest versions that pyproject.toml allows (downloads gigabytes)
	$(BIN)/python -m pytest -m lowest

mutants: $(READY)  ## one wrong line at a time, and whether a test notices it
	$(BIN)/python perf/mutants.py

check: $(READY)  ## lint, format, types, and whether the reference says what the cards say
	$(BIN)/ruff check src tests perf docs
	$(BIN)/ruff format --check src tests perf docs
	$(BIN)/mypy
	$(BIN)/python docs/reference.py --check

format: $(READY)
	$(BIN)/ruff check --fix src tests perf docs
	$(BIN)/ruff format src tests perf docs

# Options: make bench BENCH='--size 124m --out docs/performance.md'
bench: $(READY)  ## seconds, and ratios to other ways, of every workload; a line more in perf/history.jsonl
	OMP_NUM_THREADS=1 $(BIN)/python -m perf.bench $(BENCH)

tables: $(READY)  ## the table of verdicts, FairCon's tables on the lab, and what kills leave behind
	$(BIN)/python perf/verdicts.py
	$(BIN)/python perf/decisions.py
	$(BIN)/python perf/recorded.py
	OMP_NUM_THREADS=1 $(BIN)/python perf/intervals.py
	$(BIN)/python perf/faircon.py
	$(BIN)/python perf/gumbel.py
	OMP_NUM_THREADS=1 $(BIN)/python perf/kills.py

validity: $(READY)  ## simulates intervals, judges models whose making is known, for 40 minutes in all, and counts wrong verdicts
	OMP_NUM_THREADS=1 $(BIN)/python -m perf.validity run --folder runs/validity
	$(BIN)/python -m perf.validity tables --folder runs/validity --out docs/validity.json
	-OMP_NUM_THREADS=1 $(BIN)/python perf/coverage.py --families --json docs/coverage.json

real: $(READY)  ## fetches two really pretrained models and measures them
	$(BIN)/python perf/real.py --out docs/real-models.md

# Not beside the rest: it is pinned for itself (docs/adr/0035).
SITE := $(VENV)/.site
$(SITE):
	$(PYTHON) -m venv $(SITE)
	$(SITE)/bin/python $(INSTALL) 'zensical>=0.0.70,<0.2'

site: $(SITE)  ## the documentation as a site, in site/
	$(SITE)/bin/zensical build --strict

docs: $(READY)  ## the reference, generated from the cards
	$(BIN)/python docs/reference.py

clean:
	rm -rf $(VENV) .cache .pytest_cache .mypy_cache .ruff_cache build dist site
