# The only command list: the same locally and in CI. `make help` explains each.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= python3
BIN := .venv/bin
TRIPS ?=
ARGS ?=
ONLY ?=
# What `make check` asks of each file in make/; every one adds its own.
CHECKS :=
# Each process starts brokers and databases of its own; more of them than cores make timing worse and nothing faster.
PROCESSES ?= 2

.PHONY: help
help: ## Explain each command
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

include make/*.mk

# --- environment: built on first use, done at once afterwards ---------------------------------------------------------

$(BIN)/uv: requirements/uv.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "tripcast needs Python 3.11 or newer; set PYTHON=python3.11")'
	@echo "[1/3] virtual environment in .venv"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@touch $@

.venv/.run-ready: $(BIN)/uv requirements/run.txt pyproject.toml
	@echo "[2/3] locked packages (1.2 GB installed; only the first run takes long)"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/run.txt
	@echo "[3/3] tripcast itself"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.test-ready: .venv/.run-ready requirements/test.txt
	@echo "[test] locked test tools"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/test.txt
	@touch $@

TOOLS := .venv-tools/bin

.venv-tools/.ready: $(BIN)/uv requirements/tools.txt
	@echo "[tools] locked programs for checks and documents, in .venv-tools"
	@$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python .venv-tools
	@$(BIN)/uv pip install --quiet --python $(TOOLS)/python --require-hashes -r requirements/tools.txt
	@touch $@

.PHONY: env
env: .venv/.run-ready ## Build the virtual environment (other targets do it by themselves)

# --- the main job -----------------------------------------------------------------------------------------------------

.PHONY: run
run: .venv/.run-ready ## Start Kafka, PostgreSQL, MLflow, trainer, worker, API, board and a trip source; TRIPS=FILE replays real trips
	@exec $(BIN)/tripcast up $(if $(TRIPS),--trips "$(TRIPS)") $(ARGS)

.PHONY: test
test: .venv/.test-ready ## The whole suite against a real Kafka, PostgreSQL and MLflow started by the tests
	@$(BIN)/python -m pytest --numprocesses $(PROCESSES) --dist loadfile --no-loadscope-reorder $(ARGS)

.PHONY: check
check: check-code $(CHECKS) ## Lint, types, import rules, schemas, locks; workflows, images, deployments, alert rules (make/*.mk)

.PHONY: check-code
check-code: .venv/.test-ready
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/tripcast schemas check
	@$(BIN)/python -m tests.check_locks

.PHONY: format
format: .venv/.test-ready ## Format the code and apply safe fixes
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

DATA ?= ../shared/data

.PHONY: drift-proof
drift-proof: .venv/.test-ready ## Live through spring 2020 with the closed loop; DATA=FOLDER of monthly files
	@$(BIN)/python -m benchmarks.drift_proof --data "$(DATA)" $(ARGS)

.PHONY: pictures
pictures: .venv/.test-ready ## Take the pictures of the docs: a simulated city on a board in Chromium, some minutes
	@PICTURES=docs/images $(BIN)/python -m pytest tests/browser/test_pictures.py $(ARGS)

LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate

.PHONY: lock
lock: $(BIN)/uv ## Resolve the dependencies anew into requirements/*.txt (hashed, no index address)
	@$(LOCK) requirements/uv.in --output-file requirements/uv.txt
	@$(LOCK) pyproject.toml --extra local requirements/build.in --constraint requirements/limits.in --output-file requirements/run.txt
	@$(LOCK) pyproject.toml --extra test --constraint requirements/run.txt --output-file requirements/test.txt
	@$(LOCK) pyproject.toml --extra aws --constraint requirements/run.txt --output-file requirements/service.txt
	@$(LOCK) requirements/build.in --constraint requirements/run.txt --output-file requirements/build.txt
	@$(LOCK) requirements/tools.in --output-file requirements/tools.txt
	@$(LOCK) requirements/go.in --output-file requirements/go.txt
	@$(LOCK) requirements/rivals.in --output-file requirements/rivals.txt
	@$(LOCK) requirements/rivals-api.in --output-file requirements/rivals-api.txt

.PHONY: clean
clean: ## Remove the virtual environment and caches (not the data in .tripcast)
	@rm -rf .venv .venv-tools .venv-rivals .venv-rivals-api .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
