# Each target makes the environment it needs, in .venv, from this project's own files.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEMO := demo
BROWSER := $(VENV)/.browser
SECONDS_EACH ?= 130

.PHONY: demo test faults fuzz lint format clean help

help:
	@echo "make demo    the paper's figures on house numbers, with a small cortex: a report (minutes, no download)"
	@echo "make test    run the whole test suite"
	@echo "make faults  faults made on purpose: kills, full disks, power cuts, damage (an hour on one core; keeps a record)"
	@echo "make fuzz    feed every reader with damaged files for half an hour (Linux)"
	@echo "make lint    style, types and layers, as CI checks them"
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
	$(BIN)/python -m pytest -n auto --maxprocesses 8 --dist loadfile

faults: $(READY)
	$(BIN)/python -m tests.faults

fuzz: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[fuzz]"
	$(BIN)/python -m tests.fuzz --seconds $(SECONDS_EACH)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) $(DEMO)
