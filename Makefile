# Each target makes the environment it needs, in .venv, from this project's own files.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEMO := demo

.PHONY: demo test lint format clean help

help:
	@echo "make demo    train a small cortex on handwritten digits, measure it, draw its dreams (minutes, no download)"
	@echo "make test    run the whole test suite"
	@echo "make lint    style, types and layers, as CI checks them"
	@echo "make format  put the code into the project's format"

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "dreaming needs Python 3.11 or later")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@touch $@

demo: $(READY)
	$(BIN)/dreaming train --condition pad --dataset digits --epochs 25 --snapshots 1,5,10,25 --out $(DEMO) \
		--set networks.base_channels=16 --set networks.latent_dim=64 --set training.batch_size=32
	$(BIN)/dreaming evaluate $(DEMO)/digits/pad/seed-0
	$(BIN)/dreaming compare $(DEMO)/digits --to $(DEMO)/comparison
	@echo
	@echo "What it saw and dreamt:   $(DEMO)/digits/pad/seed-0/dreams/0025.png (0000.png: before it learned)"
	@echo "How its latents read out: $(DEMO)/comparison/accuracy.png"

test: $(READY)
	$(BIN)/python -m pytest -n auto --maxprocesses 8 --dist loadfile

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
