# Every target works as the first command in a fresh clone: it makes the environment it needs.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
MARKS  ?= not slow and not exhaustive and not peers and not slurm and not ray
WORKERS ?= logical
PYTHONS ?= 3.11 3.12 3.13 3.14
TESTS   ?= tests/tracking tests/sweeps

.DEFAULT_GOAL := help
.PHONY: help sweep test test-slow test-exhaustive test-pythons test-peers test-slurm bench check format lint types clean test-next test-integrations test-ray

help:  ## Show what each target does
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): pyproject.toml constraints.txt
	@echo "Making the environment in $(VENV); this takes a minute or two."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

sweep: $(READY)  ## Train three models in parallel, rank them, promote the best
	$(BIN)/python -m trainer -m training.learning_rate=1e-4,1e-3,1e-2

test: $(READY)  ## Run the test suite on all cores (MARKS='not exhaustive and not peers and not slurm and not ray' adds the slow tests, WORKERS=0 runs them one by one)
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m '$(MARKS)'

test-slow: $(READY)  ## Run only the slow tests: wheel, editable install, the documents followed
	$(BIN)/python -m pytest -m slow

test-exhaustive: $(READY)  ## Run the long forms of tests: every fault at every system call, the state machines for long
	$(BIN)/python -m pytest -m exhaustive

# Each interpreter has an environment of its own, without the trainer; those that cannot be found are skipped and named.
test-pythons:  ## Run the tests of the tracker and of sweeps on each of PYTHONS (TESTS='tests/tracking' runs only those)
	@failed=; for version in $(PYTHONS); do \
	  python=; for found in python$$version $${PYENV_ROOT:-$$HOME/.pyenv}/versions/$$version.*/bin/python "$$(uv python find $$version 2>/dev/null)"; do \
	    "$$found" -c '' 2>/dev/null && python=$$found && break; \
	  done; \
	  if [ -z "$$python" ]; then echo "Python $$version: skipped, no interpreter was found"; continue; fi; \
	  echo "Python $$version: $$python"; \
	  "$$python" -m venv $(VENV)-$$version && \
	  $(VENV)-$$version/bin/python -m pip install -qq --disable-pip-version-check --constraint constraints.txt --editable '.[test]' && \
	  $(VENV)-$$version/bin/python -m pytest -n $(WORKERS) --dist worksteal -m '$(MARKS)' $(TESTS) || failed="$$failed $$version"; \
	done; [ -z "$$failed" ] || { echo "failed on Python$$failed"; exit 1; }

# Hydra is the newest there is below 1.5, also one that is no release yet. All that it warns of in podium is an error.
test-next: TESTS = tests/conf tests/sweeps tests/tracking tests/trainer
test-next:  ## Run the tests on the next Hydra, in an environment of its own (TESTS='tests/sweeps/plan' runs only those)
	@$(PYTHON) -m venv $(VENV)-next
	@grep -viE '^(hydra-core|omegaconf|pyyaml)==' constraints.txt > $(VENV)-next/constraints.txt
	@$(VENV)-next/bin/python -m pip install -qq --disable-pip-version-check --constraint $(VENV)-next/constraints.txt --editable '.[dev]'
	@$(VENV)-next/bin/python -m pip install -qq --disable-pip-version-check --pre --upgrade 'hydra-core<1.5'
	@$(VENV)-next/bin/python -c "import hydra, omegaconf; print('Hydra', hydra.__version__, 'OmegaConf', omegaconf.__version__)"
	$(VENV)-next/bin/python -m pytest -n $(WORKERS) --dist worksteal -m '$(MARKS)' $(TESTS)

test-peers: $(READY)  ## Run the tests against real MLflow, TensorBoard and W&B, which are installed apart (4 minutes, 1.1 GB)
	@$(BIN)/python -m benchmarks setup mlflow tensorboard wandb
	$(BIN)/python -m pytest -m peers

# The tests start a Slurm of their own, of this machine alone. Its daemons need root, but no systemd and no cgroups.
test-slurm: $(READY)  ## Run sweeps on a real Slurm (10 minutes; needs root and Debian's slurmctld, slurmd, slurm-client and munge)
	@for program in slurmctld slurmd sbatch munged; do command -v $$program >/dev/null || \
	  { echo "$$program is missing: apt-get install slurmctld slurmd slurm-client munge"; exit 1; }; done
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --upgrade --target $(VENV)/slurm dask-jobqueue hydra-submitit-launcher submitit
	PYTHONPATH=$(CURDIR)/$(VENV)/slurm $(BIN)/python -m pytest -m slurm tests/sweeps/executor/engines/test_slurm.py

test-ray: $(READY)  ## Run sweeps on a real Ray, which is installed apart (20 minutes on two busy cores, 260 MB)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --upgrade --target $(VENV)/ray ray
	PYTHONPATH=$(CURDIR)/$(VENV)/ray $(BIN)/python -m pytest -m ray tests/sweeps/executor/engines

# The frameworks lie beside the environment, which stays as it is. xgboost-cpu is XGBoost without 300 MB for GPUs.
FRAMEWORKS := keras xgboost-cpu lightgbm lightning pytorch-lightning transformers accelerate
BESIDE     := $(VENV)-integrations
test-integrations: $(READY)  ## Run the tests of integrations with the real frameworks (6 minutes, 270 MB)
	@$(BIN)/python -m venv $(BESIDE)
	@$(BIN)/python -c "import sysconfig; print('import site; site.addsitedir(%r)' % sysconfig.get_path('purelib'))" > \
	  "$$($(BESIDE)/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")/beside.pth"
	@$(BESIDE)/bin/python -m pip install -qq --disable-pip-version-check --constraint constraints.txt --upgrade $(FRAMEWORKS)
	@$(BESIDE)/bin/python -m pip list --disable-pip-version-check | grep -E "^($$(echo $(FRAMEWORKS) | tr ' ' '|')|scikit-learn|torch) "
	$(BESIDE)/bin/python -m pytest -m 'not exhaustive' tests/tracking/integrations
	$(BESIDE)/bin/python -m pytest -m 'not exhaustive' tests/test_examples.py \
	  -k 'keras or xgboost or lightgbm or scikit_learn or lightning or huggingface'

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
	rm -rf $(VENV) $(VENV)-3.* $(VENV)-next $(VENV)-integrations .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
