PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
INSTALLED := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install system-packages demo dev test test-slow lint format check-model demo-model demo-audio bench-asr bench-runs bench-search soak screenshots clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-16s %s\n", $$1, $$2}' Makefile

install: $(INSTALLED) ## Make .venv and install the project with the tested versions

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --upgrade --constraint constraints.txt pip
	$(RUN) -m pip install --quiet --constraint constraints.txt torch
	$(RUN) -m pip install --quiet --constraint constraints.txt --editable ".[embedded-db,demo,train,bench,dev]"
	@touch $(INSTALLED)

system-packages: ## Install what only test-slow and demo-model need: espeak-ng, gcc, Chromium (Debian, as root)
	apt-get update -qq
	apt-get install -y -qq espeak-ng gcc libc6-dev chromium

demo: $(INSTALLED) ## Take a small podcast from its feed to a search, on this machine alone
	@$(RUN) -m ingestion_pipeline demo

dev: $(INSTALLED) ## Start the Dagster UI and its daemon
	@$(RUN) -m ingestion_pipeline dev

test: $(INSTALLED) ## Run the tests that need nothing but Python
	$(RUN) -m pytest -m "not slow" --numprocesses auto --maxprocesses 4

test-slow: $(INSTALLED) ## Run the tests that need a daemon, espeak-ng or minutes
	$(RUN) -m pytest -m slow

lint: $(INSTALLED) ## Check style and types
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

format: $(INSTALLED) ## Put the code into the form that lint wants
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

check-model: $(INSTALLED) ## Measure demo-en on held-out speech, about five minutes
	$(RUN) scripts/check_demo_model.py

demo-model: $(INSTALLED) ## Train demo-en anew from a seed, an hour and a half (needs espeak-ng)
	$(RUN) scripts/train_demo_model.py

demo-audio: $(INSTALLED) ## Speak the demo episodes and the held-out sentences anew (needs espeak-ng)
	$(RUN) scripts/make_demo_audio.py

bench-asr: $(INSTALLED) ## Compare four ways of transcribing, a night long; QUICK=1: under ten minutes
	$(RUN) -m benchmarks.asr $(if $(QUICK),--quick --fresh)

bench-runs: $(INSTALLED) ## Measure what a run for each video costs, about 20 minutes
	$(RUN) -m benchmarks.runs

bench-search: $(INSTALLED) ## Measure writing and searching 100,000 passages, about 15 minutes; QUICK=1: a few
	$(RUN) -m benchmarks.search $(if $(QUICK),--quick)

soak: $(INSTALLED) ## Ingest 300 videos from a bad site while things are killed, about a quarter of an hour
	$(RUN) -m benchmarks.soak

screenshots: $(INSTALLED) ## Take the pictures of docs/operations.md anew (needs Chromium)
	$(RUN) -m pytest ingestion_pipeline_tests/acceptance/test_browser.py --basetemp build/browser
	mkdir -p docs/screenshots && cp build/browser/screenshots0/*.png docs/screenshots/

clean: ## Remove what was built, .venv apart
	rm -rf build .mypy_cache .pytest_cache .ruff_cache *.egg-info
