# Each target makes the environment it needs, in .venv, from this project's own files.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEMO := demo
BROWSER := $(VENV)/.browser
SECONDS_EACH ?= 130

# A build of torch and a processor on which the tests that could tell are run a second time.
BUILD := cu130
PROCESSOR := ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2
ON_BUILDS := tests/system/test_signals_and_hardware.py tests/training/test_precision_and_doctor.py \
	tests/runs/test_folder_of_a_training.py tests/cli/test_training_runs.py
ON_PROCESSORS := tests/model/test_layers.py tests/model/test_tiling.py tests/model/test_networks.py \
	tests/model/test_losses.py tests/evidence/golden tests/evidence/oracle tests/benchmarks/test_records.py
# Threads cost tiny networks more than they bring; without bytecode each process compiles the project anew.
PYTEST := OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n auto --maxprocesses 8 --dist loadfile

.PHONY: demo test robustness robustness-quick faults fuzz lint format clean help

help:
	@echo "make demo    the paper's figures on small digits, with a small cortex: a report (minutes, no download)"
	@echo "make test    run the tests (minutes)"
	@echo "make robustness-quick  faults, hostile files, endurance, benchmarks; other processors and builds of torch"
	@echo "make robustness  all of that, then make faults and make fuzz (hours)"
	@echo "make faults  faults made on purpose: kills, full disks, power cuts, damage (an hour on one core; keeps a record)"
	@echo "make fuzz    feed every reader with damaged files for half an hour (Linux)"
	@echo "make lint    style, types, layers and names, as CI checks them"
	@echo "make format  put the code into the project's format"

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "dreaming needs Python 3.11 or later")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@touch $@

demo: $(READY)
	$(BIN)/dreaming reproduce --profile demo --out $(DEMO)

# The report is tested in a real browser: one that is there, or else one that is installed.
$(BROWSER): $(READY) tests/paper/browser.py
	$(BIN)/python tests/paper/browser.py
	@touch $@

test: $(READY) $(BROWSER)
	$(PYTEST) --ignore=tests/robustness --ignore=tests/benchmarks

robustness-quick: $(READY)
	$(PYTEST) tests/robustness tests/benchmarks
	$(PYTEST) --torch-build $(BUILD) $(ON_BUILDS)
	$(PROCESSOR) $(PYTEST) $(ON_PROCESSORS)

robustness: robustness-quick faults fuzz

faults: $(READY)
	$(BIN)/python -m tests.robustness.faults

fuzz: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[fuzz]"
	$(BIN)/python -m tests.robustness.fuzz --seconds $(SECONDS_EACH)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/check_names.py

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) $(DEMO)
