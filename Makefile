# Two commands do all the set-up: `make demo` and `make test`.
# Others: test-hub (clients of the hub), test-tracking (that of MLflow), test-slurm (a real Slurm on this machine), check (no tests), fast (tests of
# the everyday kind), bench, bench-slurm (the same of a Slurm), up, clean.

PYTHON ?= python3
BIN := .venv/bin
ARGS ?=
# Compiled Python is kept, also where a machine's surroundings say not to: each of the many
# processes that a demo or a test starts would compile everything again.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo test test-hub test-signing test-slurm check fast bench bench-slurm bench-data bench-train up clean format

demo: .venv/ready .venv/words
	$(BIN)/fabriek demo $(ARGS)

up: .venv/ready .venv/words
	$(BIN)/fabriek up $(ARGS)

test: .venv/ready-dev .venv/words
	$(BIN)/python dev/test $(ARGS)

# What clients of the Hugging Face Hub do, with several of their versions.
test-hub: .venv/ready-dev .venv/words
	$(BIN)/python dev/test-hub $(ARGS)

# Needs root, as a cluster's jobs run as other users; the clusters are removed afterwards.
test-slurm: .venv/ready-dev .venv/words
	$(BIN)/python dev/test-slurm $(ARGS)

check: .venv/ready-dev .venv/words
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m fabriek makemigrations --check --dry-run
	$(BIN)/python dev/messages --check

fast: .venv/ready-dev .venv/words
	$(BIN)/pytest -m "not slow and not browser and not slurm and not many" $(ARGS)

format: .venv/ready-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/ready-dev .venv/words
	$(BIN)/python -m bench $(ARGS)

# Needs root, as test-slurm; a cluster that it brought up is removed afterwards.
bench-slurm: .venv/ready-dev .venv/words
	$(BIN)/python -m bench.slurm $(ARGS)

# Peers get environments of their own in .bench-peers, made at the first run.
bench-data: .venv/ready-dev .venv/words
	$(BIN)/python -m bench.data $(ARGS)

bench-track: .venv/ready-dev .venv/words
	$(BIN)/python -m bench.track $(ARGS)

# The real client of MLflow, in an environment of its own.
test-tracking: .venv/ready-dev .venv/words
	$(BIN)/python dev/test-tracking $(ARGS)

# OpenSSF's model signing, in an environment of its own.
test-signing: .venv/ready-dev
	$(BIN)/python dev/test-signing $(ARGS)

# TRL gets an environment of its own, too; on a GPU it must be installed beside torch.
bench-train: .venv/ready-dev
	$(BIN)/python -m bench.train $(ARGS)

clean:
	rm -rf .venv .hub-clients .tracking-client .signing-client var build dist src/*.egg-info .mypy_cache .ruff_cache .import_linter_cache
	find src tests bench -name __pycache__ -prune -exec rm -rf {} +

# Names of people in text: a program with its own Python, as its `regex` is another than ours.
# Its look-up tables take a minute to build, once.
.venv/names: src/fabriek/quality/worker/names-constraints.txt src/fabriek/quality/worker/names_server.py
	rm -rf .venv-names
	$(PYTHON) -m venv .venv-names
	.venv-names/bin/pip install --quiet --disable-pip-version-check -c $< deduce
	.venv-names/bin/python -I src/fabriek/quality/worker/names_server.py .venv-names/tables
	@touch .venv-names/tables/ready
	@mkdir -p .venv && touch $@

# The catalogues that the server reads, made again when the words change.
.venv/words: $(shell find src -name '*.po')
	@$(BIN)/python dev/messages --compile
	@touch $@

.venv/bin/python:
	@$(PYTHON) -m venv .venv || { echo; echo "Python cannot make a virtual environment here."; \
	  echo "On Debian: apt-get install python3-venv, then run make again."; rm -rf .venv; exit 1; }

.venv/ready: pyproject.toml constraints.txt | .venv/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[train]'
	@touch $@

.venv/ready-dev: pyproject.toml constraints.txt | .venv/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[postgres,train,lab,s3,dev]'
	@touch $@ .venv/ready
