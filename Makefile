# Everything is installed into .venv from requirements.lock. Needs make and Python 3.11, 3.12 or 3.13, nothing else.
.DEFAULT_GOAL := help
SHELL := /bin/sh
.PHONY: help install run test mutants check check-style check-types check-imports check-templates check-django \
	format bench soak lock clean

SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
# An environment that is already there keeps its Python; `make PYTHON=python3.12` rebuilds it.
CANDIDATES := $(if $(wildcard .venv/.installed-*),.venv/bin/python) python3 python3.13 python3.12 python3.11
PYTHON ?= $(shell for name in $(CANDIDATES); do \
	$$name -c '$(SUPPORTED)' 2>/dev/null && echo $$name && break; done)
VERSION := $(if $(PYTHON),$(shell $(PYTHON) -c '$(SUPPORTED)' 2>/dev/null && \
	$(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])'))
BIN := .venv/bin
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

test: install ## the suite on SQLite, then what touches money on PostgreSQL: make test ARGS="-k reclaim"
	@status=0; \
	$(BIN)/pytest -n auto --dist loadscope -m "not browser and not long" $(ARGS) || status=1; \
	$(BIN)/pytest -n auto --dist loadscope --engine=postgres -m "(engines or postgres_only) and not browser and not long" $(ARGS) || status=1; \
	exit $$status

check: check-style check-types check-imports check-templates check-django ## what CI checks; make -k check shows everything

check-style: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

check-types: install
	KEEPTRUSTS_ENV=test $(BIN)/mypy

check-imports: install
	$(BIN)/lint-imports --no-logo

check-templates: install
	git ls-files -z '*.html' | xargs -0 -r $(BIN)/djade --check

# The production settings of the example, with fresh secrets.
check-django: install
	mkdir -p .cache
	KEEPTRUSTS_ENV=test KEEPTRUSTS_DATA=.cache $(BIN)/python manage.py check --fail-level WARNING
	KEEPTRUSTS_ENV=test KEEPTRUSTS_DATA=.cache $(BIN)/python manage.py makemigrations --check --dry-run
	set -a; . ./deploy/keeptrusts.env.example; \
	SECRET_KEY=$$($(BIN)/python -c "import secrets; print(secrets.token_urlsafe(64))"); \
	KEEPTRUSTS_FIELD_KEY=$$($(BIN)/python -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"); \
	$(BIN)/python manage.py check --deploy --fail-level WARNING

format: install ## put code and templates into the house form
	$(BIN)/ruff check --fix --exit-zero .
	$(BIN)/ruff format .
	git ls-files -z '*.html' | xargs -0 -r $(BIN)/djade

mutants: install ## take every guard of the ledger out, one at a time: a named test must see it
	$(BIN)/pytest -n auto tests/wallets/ledger/test_mutants.py $(ARGS)

bench: install ## measure the gateway and the ledger: make bench ARGS=...
	$(BIN)/python -m bench $(ARGS)

soak: install ## much traffic, faults and a kill, then the books: make soak ARGS="--short"
	$(BIN)/python -m bench.soak $(ARGS)

lock: ## resolve the dependencies again; needs uv
	uv pip compile pyproject.toml --group test --group dev --universal --python-version 3.11 \
		--generate-hashes --only-binary :all: --no-emit-index-url --no-header --no-annotate \
		--quiet --output-file requirements.lock

clean: ## remove .venv and every cache (never the data directory)
	rm -rf .venv *.egg-info build htmlcov test-results .coverage .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
