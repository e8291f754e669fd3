# One verb a task, the same on a laptop and in CI. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SEED_PYTHON := $(shell command -v python3.11 || command -v python3)
SOURCES := trecs tests benchmarks

# Processes of `make test`; each loads TensorFlow (about 1 GiB). 0 is this one alone.
TEST_JOBS ?= 2
DEMO_DATA ?= movielens-100k
DEMO_RUN ?= runs/demo
DEMO_MODEL ?= saved_models/movielens-100k
DEMO_USER ?= 1
# Half a year apart: the first week of the log and its last.
DEMO_MOMENTS ?= 1997-09-25T20:00:00Z 1998-04-22T09:00:00Z

# CPU seconds of training of each model of `make peers`; 0 is no limit.
PEER_SECONDS ?= 7200

# TensorFlow's start-up chatter hides what a command says.
export TF_CPP_MIN_LOG_LEVEL ?= 3

.PHONY: help
help:  ## list the verbs
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.PHONY: venv
venv: $(STAMP)  ## create .venv with the locked versions

# Done again only when what is to be installed has changed. A venv made by hand is kept, and completed.
$(STAMP): pyproject.toml requirements.lock
	@"$(SEED_PYTHON)" -c 'import sys; v = sys.version_info[:2]; v == (3, 11) or sys.exit(f"make venv: trecs needs Python 3.11, and $(SEED_PYTHON) is {v[0]}.{v[1]}. Put a python3.11 on PATH, or give one: make venv SEED_PYTHON=/where/it/is")'
	test -x $(BIN)/python || "$(SEED_PYTHON)" -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation -e .
	touch $@

.PHONY: lock
lock:  ## write requirements.lock anew from pyproject.toml (newest versions that fit)
	$(BIN)/uv pip compile pyproject.toml --extra dev --python-version 3.11 --python-platform linux \
	  --upgrade --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --custom-compile-command "make lock" --quiet --output-file requirements.lock

.PHONY: demo
demo: $(STAMP)  ## fetch MovieLens-100K, train, evaluate, export, recommend for one user at two moments
	$(BIN)/trecs fetch $(DEMO_DATA)
	$(BIN)/trecs train $(DEMO_DATA) --out $(DEMO_RUN)
	$(BIN)/trecs evaluate $(DEMO_RUN)
	$(BIN)/trecs export $(DEMO_RUN) --to $(DEMO_MODEL)
	for moment in $(DEMO_MOMENTS); do \
	  $(BIN)/trecs recommend $(DEMO_MODEL) --user $(DEMO_USER) --at $$moment -k 10; \
	done

.PHONY: test
test: $(STAMP)  ## run the tests, all but the slow ones
	$(BIN)/python -m pytest -n $(TEST_JOBS) --dist loadfile --no-loadscope-reorder -m "not slow"

.PHONY: test-slow
test-slow: $(STAMP)  ## run the slow tests, some of which use the network
	$(BIN)/python -m pytest -n $(TEST_JOBS) -m slow

.PHONY: lint
lint: $(STAMP)  ## ruff (rules and format) and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict trecs

.PHONY: format
format: $(STAMP)  ## rewrite the code in the house format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: notebook
notebook: $(STAMP)  ## execute temporary copies of the notebooks
	for notebook in notebooks/*.ipynb; do $(BIN)/python tools/run_notebook.py $$notebook; done

.PHONY: bench
bench: $(STAMP)  ## time a training epoch of trecs and of RecBole's GRU4Rec (builds a PyTorch venv)
	$(BIN)/python benchmarks/epoch_time.py
	benchmarks/recbole/run

.PHONY: parity
parity: $(STAMP)  ## hold 1,000 answers over REST, gRPC and the C API to the live model of make demo
	TRECS_RUN=$(DEMO_RUN) $(BIN)/python -m pytest -m slow tests/serving/test_served_parity.py

.PHONY: quality
quality: $(STAMP)  ## train three seeds on both splits of MovieLens-100K and print the table
	$(BIN)/python benchmarks/quality.py

.PHONY: quality-time
quality-time: $(STAMP)  ## train RecTools' SASRec, then trecs, and draw quality against time
	benchmarks/peers/run movielens-100k temporal 0 rectools/SASRec
	$(BIN)/python benchmarks/quality_time.py

.PHONY: ablations
ablations: $(STAMP)  ## each part of the model off, three seeds, MovieLens-100K and 200 households of Complete Journey (3 hours)
	$(BIN)/python benchmarks/ablations.py
	$(BIN)/python benchmarks/ablations.py complete-journey --users 200 --set training.epochs=5 \
	  --json benchmarks/out/ablations-complete-journey.json

.PHONY: step-speed
step-speed: $(STAMP)  ## time a training step beside its matrix products, and its kernels
	$(BIN)/python benchmarks/step_speed.py

.PHONY: ratings
ratings: $(STAMP)  ## rating errors of MovieLens-100K: temporal split and five random folds (a quarter of an hour)
	$(BIN)/python benchmarks/ratings.py

.PHONY: peers
peers: $(STAMP)  ## train RecTools, RecBole and TFRS on what trecs exports, score their lists (hours)
	for split in temporal leave-last-out; do \
	  benchmarks/peers/run movielens-100k $$split $(PEER_SECONDS); \
	  benchmarks/peers/run complete-journey $$split $(PEER_SECONDS); \
	done

.PHONY: load
load: $(STAMP)  ## 50 clients at the local server of make demo's model, also while it changes (13 minutes)
	$(BIN)/python benchmarks/serving_changes.py $(DEMO_MODEL)

.PHONY: clean
clean:  ## remove caches, runs and builds; keep .venv, downloads and saved_models
	rm -rf .pytest_cache .mypy_cache .ruff_cache build dist *.egg-info runs
	find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +
