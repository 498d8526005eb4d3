# netsla. `make run` and `make test` need nothing else typed; see README.md.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
CONFIG ?= config/quickstart.yaml
JOBS   ?= 2

.PHONY: help run test check fix bench lock clean debian
.DEFAULT_GOAL := help

help:  ## show the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

run: $(VENV)/.run  ## start the agent with the quickstart configuration
	@$(BIN)/netsla run --config $(CONFIG)

# Two processes, file by file: half of the tests wait. Each has a network of its own (tests/conftest.py, which also says
# what comes first); JOBS=0 is one process, to look into a test.
test: check  ## install what the tests need, then lint, types and tests; nothing is skipped
	@$(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile --no-loadscope-reorder $(TESTS)

check: $(VENV)/.dev debian  ## formatting, lint and types
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

fix: $(VENV)/.dev  ## repair formatting and what the linter can
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(VENV)/.dev  ## measure beside the peers (root); ARGS="--quick" for a short run
	@$(BIN)/python -m bench $(ARGS)

lock:  ## renew the hash-locked requirements (needs uv)
	@uv pip compile -q --generate-hashes --no-header --no-emit-index-url --python-version 3.11 \
	  --group build pyproject.toml -o requirements.lock
	@uv pip compile -q --generate-hashes --no-header --no-emit-index-url --python-version 3.11 \
	  --extra bcrypt --group build --group dev pyproject.toml -o requirements-dev.lock

clean:  ## remove what was made here
	@rm -rf $(VENV) var dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis bench-out

debian:
	@deploy/debian/install $(shell cat deploy/debian/packages.txt)

$(BIN)/python:
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || deploy/debian/install python3-venv
	@$(PYTHON) -m venv $(VENV)

PIP := $(BIN)/python -m pip install -q --disable-pip-version-check

$(VENV)/.run: requirements.lock pyproject.toml | $(BIN)/python
	@$(PIP) --require-hashes -r requirements.lock
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements-dev.lock pyproject.toml | $(BIN)/python
	@$(PIP) --require-hashes -r requirements-dev.lock
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $(VENV)/.run $@
