# Everything is installed into .venv from requirements.lock. Needs make and Python 3.11, 3.12 or 3.13, nothing else.
.DEFAULT_GOAL := help
SHELL := /bin/sh
.PHONY: help install run test test-browser check format bench lock clean

SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
CANDIDATES := python3 python3.13 python3.12 python3.11
PYTHON ?= $(shell for name in $(CANDIDATES); do \
	$$name -c '$(SUPPORTED)' 2>/dev/null && echo $$name && break; done)
VERSION := $(if $(PYTHON),$(shell $(PYTHON) -c '$(SUPPORTED)' 2>/dev/null && \
	$(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])'))
BIN := .venv/bin
# One stamp per Python version: `make PYTHON=python3.12` rebuilds an environment made by another one.
STAMP := .venv/.installed-$(VERSION)
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

install: $(STAMP) ## build .venv with the kt command

$(STAMP): requirements.lock
	@test -n "$(VERSION)" || { echo "Keeptrusts needs Python 3.11, 3.12 or 3.13: install one, or name it with make PYTHON=/path/to/python" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "Python's venv support is missing: install the package python3-venv (apt-get install python3-venv)" >&2; exit 1; }
	@echo "Building .venv with Python $(VERSION); the first time this takes a few minutes" >&2
	@$(PYTHON) -m venv --clear .venv
	@$(PIP) install --no-deps --require-hashes --only-binary :all: -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

run: install ## start everything on this machine: make run ARGS="--port 8000"
	@exec $(BIN)/kt up $(ARGS)

clean: ## remove .venv and every cache (never the data directory)
	rm -rf .venv *.egg-info build htmlcov test-results .coverage .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
