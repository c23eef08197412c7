# Every target works from a fresh clone; stamps in .venv keep a second call fast.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
FILE ?=
ORACLE ?=
PORT ?= 8000
PIP_INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt
WHAT_IS_INSTALLED := pyproject.toml constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo install test test-in-browser test-the-loop test-the-rest lint messages types chromium

help:  ## List the targets
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

demo: $(VENV)/.install-stamp-demo  ## Start Winnow with real texts (FILE=mine.csv: with yours; ORACLE=300: and answers; PORT=8000)
	@$(BIN)/python manage.py demo $(if $(FILE),--file "$(FILE)") $(if $(ORACLE),--oracle $(ORACLE)) --up --port $(PORT)

install: $(VENV)/.install-stamp-all  ## Make .venv with everything that Winnow can use

test: $(VENV)/.install-stamp-all chromium  ## Run every test, the browser tests included
	@$(MAKE) --no-print-directory --jobs=3 --output-sync=line test-in-browser test-the-loop test-the-rest

# Tests in a browser, and of the loop with its workers, mostly wait; so they run beside the others.
test-in-browser:
	$(BIN)/python -m pytest -m "browser and not loop"

test-the-loop:
	$(BIN)/python -m pytest -m loop

test-the-rest:
	$(BIN)/python -m pytest -m "not browser and not loop"

lint: $(VENV)/.install-stamp-all  ## Check style, format, layers and migrations
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/python manage.py makemigrations --check --dry-run

messages: $(VENV)/.install-stamp-all  ## Collect sentences for the translations, and compile these
	$(BIN)/python -m bench.source.messages

types: $(VENV)/.install-stamp-all  ## Check types
	$(BIN)/mypy

chromium:
	@if command -v chromium chromium-browser google-chrome >/dev/null 2>&1; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-dejavu; \
	else \
		echo "The browser tests need Chromium. On Debian or Ubuntu: sudo apt-get install chromium" >&2; exit 1; \
	fi

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Winnow needs Python 3.11 or newer; name one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.install-stamp-demo: $(WHAT_IS_INSTALLED) | $(BIN)/python
	@echo "Installing Winnow into $(VENV); the first time takes a few minutes."
	@$(PIP_INSTALL) --editable ".[train]"
	@touch $@

$(VENV)/.install-stamp-all: $(WHAT_IS_INSTALLED) | $(BIN)/python
	@echo "Installing Winnow and its tools into $(VENV); the first time takes a few minutes."
	@$(PIP_INSTALL) --editable ".[train,fasttext,sentry,opentelemetry,dev]"
	@touch $@ $(VENV)/.install-stamp-demo
