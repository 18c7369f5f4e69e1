# make run    sets up .venv, pulls the sample data, runs the whole pipeline
# make test   sets up .venv if need be, runs every test
PYTHON ?= python3.11
BIN    := .venv/bin
MARK   := .venv/.ready
UV     := uv==0.13.9
JOBS   ?= 2
GPU_PYTHON ?= python3
GPU_PYTHON_VERSION ?= 3.12
GPU_PACKAGES := pydantic|pydantic-core|annotated-types|typing-inspection|typing-extensions|ruamel.yaml|psutil|rich|markdown-it-py|mdurl|pygments|zstandard
LOCKS  := -r requirements.lock -r infra/locks/dev.lock
PYTEST := python -m pytest --dist loadfile --no-loadscope-reorder
INSTALL = UV_FIND_LINKS="$${UV_FIND_LINKS:-$$PIP_FIND_LINKS}" $(BIN)/uv pip install --quiet --python $(BIN)/python

export PATH := $(CURDIR)/$(BIN):$(PATH)
export DO_NOT_TRACK = 1
export DVC_NO_ANALYTICS = 1
# Behind a proxy that signs with a certificate of its own, uv would know none but the certificates it brings along.
export UV_SYSTEM_CERTS ?= 1
# Compiled modules are kept: without them every stage would compile its libraries anew.
export PYTHONDONTWRITEBYTECODE =

.DEFAULT_GOAL := help
.PHONY: help setup run test peers test-fast test-slow test-minutes lint format bench bench-reader bench-training gpu-packages bench-gpu bench-kills bench-schedule-kills bench-mlflow-runs bench-plan \
        bench-data bench-serving bench-faults bench-vectors bench-ladder bench-heads bench-finetuning bench-labels bench-checkpoint pictures ui lock readme clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: $(MARK)  ## the environment in .venv, exactly as pinned; nothing when it is up to date

# uv takes seconds where pip takes minutes; pip's --find-links setting is handed on to it. pip itself is the way out.
$(MARK): requirements.lock infra/locks/dev.lock pyproject.toml
	@echo "Setting up .venv from requirements.lock …"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { echo "error: $(PYTHON) is not Python 3.11; set PYTHON=…"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet $(UV) 2>&1 | grep -v '^WARNING' || true
	@$(INSTALL) $(LOCKS) && $(INSTALL) --no-deps --editable . \
	  || { echo "uv could not; trying pip …"; $(BIN)/python -m pip install --quiet $(LOCKS) && $(BIN)/python -m pip install --quiet --no-deps --editable .; }
	@$(BIN)/python -c 'import cli, components, flows, lianzi'
	@touch $@

run: setup  ## the whole pipeline, from the sample data to a released model
	@test -e data || { echo "Pulling the sample data …"; dvc pull --quiet data; }
	@lianzi run

test: setup peers  ## every test but those that wait for minutes; the sample data are pulled if need be
	@test -e data || dvc pull --quiet data
	@echo "Running the tests …"
	@$(PYTEST) -n $(JOBS) -m "not minutes"

peers: setup  ## the clients that tests of the server run beside it, in environments of their own
	@python -m benchmarks.peers.environment openai schemathesis serving sentence_transformers || echo "Tests that need these are skipped."

test-fast: setup  ## the tests that need no whole pipeline and no server
	@$(PYTEST) -n $(JOBS) -m "not slow"

test-slow: setup  ## whole pipelines, real servers, kills
	@$(PYTEST) -n $(JOBS) -m "slow and not minutes"

test-minutes: setup  ## missed nights, workers that die: what a scheduler mends by its own clock
	@$(PYTEST) -m minutes

lint: setup  ## style and types
	@ruff check . && ruff format --check . && mypy

format: setup  ## put the code in form
	@ruff check --fix --quiet . ; ruff format .

bench: setup  ## the benchmarks fit for a laptop; results in benchmarks/results
	@python -m benchmarks.latency && python -m benchmarks.orchestration

bench-reader: setup  ## windows of tokens a second, beside litdata and datasets
	@python -m benchmarks.reader

bench-training: setup  ## a training step beside HF Trainer, Lightning and bare loops: ten minutes
	@python -m benchmarks.training

gpu-packages: setup  ## into .cache/gpu-packages: the small packages that bench-gpu needs, for a GPU machine without network
	@UV_FIND_LINKS="$${UV_FIND_LINKS:-$$PIP_FIND_LINKS}" $(BIN)/uv pip install --quiet --no-deps --only-binary :all: --target .cache/gpu-packages \
	    --python-version $(GPU_PYTHON_VERSION) --python-platform x86_64-unknown-linux-gnu \
	    $(shell grep -oE "^($(GPU_PACKAGES))==[^ ;]+" requirements.lock)

bench-gpu:  ## on one GPU, by that machine's own PyTorch (GPU_PYTHON), eight minutes at most: GPT-2 124M; engines for BERT and GPT-2
	@export PYTHONPATH=.:.cache/gpu-packages; timeout 270 $(GPU_PYTHON) -m benchmarks.gpu; first=$$?; \
	timeout 200 $(GPU_PYTHON) -m benchmarks.gpu_inference && exit $$first

bench-kills: setup  ## a hundred kills of trainings, and what is left different afterwards
	@python -m benchmarks.kills --kills 100 --record

bench-schedule-kills: setup  ## twenty kills of server, worker and flow under a cron of one minute: half an hour
	@python -m benchmarks.schedule_kills --kills 20 --record

bench-mlflow-runs: setup  ## MLflow's pages over a thousand runs in SQLite: three minutes
	@python -m benchmarks.mlflow_runs

bench-data: setup  ## curation, validation and encoding beside datatrove, pandas, Hugging Face, tiktoken: twenty minutes
	@python -m benchmarks.curation && python -m benchmarks.curation_memory
	@python -m benchmarks.validation && python -m benchmarks.tokenization && python -m benchmarks.personal_data

bench-plan: setup  ## how near `lianzi plan` comes: five trainings planned, run, compared
	@python -m benchmarks.plan

bench-serving: setup  ## requests a second and latency beside LitServe and MLflow's server: ten minutes
	@python -m benchmarks.serving

bench-faults: setup  ## faults planted in a bundle, and what the gate says of each: a minute
	@python -m benchmarks.planted_faults --record

bench-vectors: setup  ## MODEL=folder: a bundle's sentence embeddings beside sentence-transformers' own: three minutes
	@python -m benchmarks.sentence_embeddings $(MODEL) --record

bench-labels: setup  ## counting words, no pretraining and what ships, all labels and 5 %, three seeds; after `make run`: twenty minutes
	@python -m benchmarks.labels --seeds 17 18 19 --shares 1.0 0.05

bench-checkpoint: setup  ## MODEL=folder: from a checkpoint to two released models by the two commands of docs/checkpoints.md
	@python -m benchmarks.checkpoint $(MODEL)

bench-finetuning: setup  ## MODEL=folder: fine-tuning a BERT beside transformers' own Trainer, three seeds: ten minutes
	@python -m benchmarks.finetuning $(MODEL)

bench-heads: setup  ## PROJECTS=folders of finished runs: the rungs of every head beside fp32: a minute each
	@python -m benchmarks.ladder_heads $(PROJECTS)

bench-ladder: setup  ## size, speed and quality of every rung, from the eager teacher down: six minutes
	@python -m benchmarks.ladder

readme: setup  ## write the tables of results in the READMEs and docs/performance.md anew
	@python docs/results_table.py && python docs/performance_table.py

pictures: setup  ## the pictures of MLflow and Prefect in docs/images anew, from this project's results, by Chromium
	@python -m infra.pictures

ui: setup  ## Prefect's and MLflow's pages on localhost
	@lianzi ui

lock: setup  ## pin anew what pyproject.toml asks for
	@infra/locks/lock.sh

clean:  ## remove the environment, artifacts and reports; data, params and tracked results stay
	rm -rf .venv artifacts reports .lianzi .mypy_cache .ruff_cache .pytest_cache *.egg-info
	find cli components flows lianzi tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
