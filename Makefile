# Every target works as the first command in a fresh clone: it makes the environment it needs.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
MARKS  ?= not slow and not exhaustive
WORKERS ?= logical

.DEFAULT_GOAL := help
.PHONY: help sweep test test-slow test-exhaustive bench check format lint types clean

help:  ## Show what each target does
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): pyproject.toml constraints.txt
	@echo "Making the environment in $(VENV); this takes a minute or two."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

sweep: $(READY)  ## Train three models in parallel, rank them, promote the best
	$(BIN)/python -m trainer -m training.learning_rate=1e-4,1e-3,1e-2

test: $(READY)  ## Run the test suite on all cores (MARKS='not exhaustive' adds the slow tests, WORKERS=0 runs them one by one)
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m '$(MARKS)'

test-slow: $(READY)  ## Run only the slow tests: wheel, editable install, the documents followed
	$(BIN)/python -m pytest -m slow

test-exhaustive: $(READY)  ## Run the long forms of tests: every fault at every system call, the state machines for long
	$(BIN)/python -m pytest -m exhaustive

bench: $(READY)  ## Measure the tracker beside its peers, which are installed apart (ARGS='log --no-peers')
	@case '$(ARGS)' in *--no-peers*) ;; *) $(BIN)/python -m benchmarks setup ;; esac
	$(BIN)/python -m benchmarks $(ARGS)

format: $(READY)  ## Rewrite the code in the house format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: $(READY)  ## Check format and lint rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(READY)  ## Check types (mypy --strict)
	$(BIN)/mypy

check: lint types test  ## Everything CI runs: format, lint, types, tests

clean:  ## Remove the environment and caches (never experiments/)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
