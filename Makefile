# Every target makes what it needs; the virtual environment is rebuilt when a lock file changes.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DATA ?= anhu-data

.PHONY: install demo test lint bench pictures audit lock train-falls clean

install: $(VENV)/.runtime

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name one: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements.lock pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@

$(VENV)/.dev: requirements-dev.lock pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@ $(VENV)/.runtime

demo: $(VENV)/.runtime
	$(BIN)/anhu up --demo --data-dir $(DATA)

test: $(VENV)/.dev
	$(BIN)/python -m pytest

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.runtime
	$(BIN)/anhu bench ingest --seconds 20 --json

# Needs Debian's chromium and a demo that has run for a quarter of an hour.
pictures: $(VENV)/.dev
	$(BIN)/python -m bench.pictures --data-dir $(DATA)

audit: $(VENV)/.dev
	$(BIN)/pip-audit --disable-pip --require-hashes -r requirements.lock

# Needs uv; writes versions and hashes only.
lock:
	uv pip compile pyproject.toml --extra build --universal --generate-hashes --no-header --no-emit-index-url -o requirements.lock
	uv pip compile pyproject.toml --extra build --extra dev --universal --generate-hashes --no-header --no-emit-index-url \
		-o requirements-dev.lock

train-falls: $(VENV)/.dev
	$(BIN)/python -m bench.falls.train

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .cache build *.egg-info out
