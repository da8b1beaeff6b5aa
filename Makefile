# Needs Python >= 3.11 and make: every target installs what it needs into .venv. audit, vendor, lint-api, lint-console
# and test-browser also need Node.js (npm), and test-browser needs Chromium.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# --require-hashes: only the locked packages run. The project itself is installed without fetching anything else.
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq
PIP_SYNC := $(PIP) install --require-hashes -r
PIP_SELF := $(PIP) install --no-deps --no-build-isolation -e .
NPM_BIN := build/npm/node_modules/.bin
PRETTIER_FILES := api/console .ci
# The product.
ROOMS := api commands eventstore migrations projections
SBOM ?= build/sbom.cdx.json
UV_VERSION := 0.13.9
UV_COMPILE = "$$tmp/bin/uv" pip compile --quiet --upgrade --universal --generate-hashes --python-version 3.11 \
	--no-annotate --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"

.DEFAULT_GOAL := help
.PHONY: help install dev run test test-browser pictures soak soak-rebuild soak-feed slow-clients lint lint-api lint-console vendor audit sbom fuzz-api \
	format format-console bench bench-feed lock clean
.DELETE_ON_ERROR:

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(VENV)/.runtime ## Install the service and its dependencies into .venv
dev: $(VENV)/.dev ## Also install the tools for tests, lint and benchmarks

run: install ## Serve on http://127.0.0.1:8000 with the database in ./var/itemledger.db
	@mkdir -p var
	$(BIN)/python -m api serve

# One more than there are cores: tests also wait, for servers and for the disk.
TEST_PROCESSES ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)

test: dev ## Run every test; a throw-away PostgreSQL is started for them
	$(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) --dist worksteal --durations 10 $(ARGS)

test-browser: dev build/npm/.done ## Test the console in Chromium; needs Node.js
	$(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) --dist worksteal --durations 10 tests/browser $(ARGS)

pictures: ## Take the pictures of the console again, for docs/images/
	ITEMLEDGER_TEST_PICTURES=docs/images $(MAKE) --no-print-directory test-browser

# Random numbers that are new in each run; the seed is printed first, and SEED=... repeats it.
SOAK := ITEMLEDGER_TEST_SEED=$${SEED:-$$(date +%s)} HYPOTHESIS_PROFILE=nightly

soak: dev ## Run the system tests ten times as long, and all property tests, with new random numbers
	export $(SOAK) ITEMLEDGER_TEST_SCALE=$${ITEMLEDGER_TEST_SCALE:-10} && \
		$(BIN)/python -m pytest --timeout 0 tests/system $(ARGS) && $(BIN)/python -m pytest --timeout 0 -m hypothesis $(ARGS)

soak-rebuild: dev ## Rebuild 1,000,000 events under load, and kill rebuilds at 50 moments (slow)
	$(SOAK) ITEMLEDGER_TEST_SCALE=$${ITEMLEDGER_TEST_SCALE:-50} $(BIN)/python -m pytest --timeout 0 -s \
		tests/system/rebuild/test_rebuild_load.py tests/system/rebuild/test_rebuild_kill.py $(ARGS)

soak-feed: dev ## Follow the history with 500 clients, over lost connections and ten restarts
	$(SOAK) ITEMLEDGER_TEST_SCALE=$${ITEMLEDGER_TEST_SCALE:-25} $(BIN)/python -m pytest --timeout 0 -s tests/system/test_feed.py $(ARGS)

slow-clients: dev ## Measure the effect of 1,000 slow clients on other clients
	$(BIN)/python -m tests.system.slow_clients measure $(ARGS)

lint: dev ## Check style, format and types
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy

lint-api: install build/npm/.done ## Lint the OpenAPI document by the rules of redocly.yaml; needs Node.js
	$(BIN)/python -m api openapi > build/openapi.json
	REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true \
		$(NPM_BIN)/redocly lint --config redocly.yaml --format stylish build/openapi.json

vendor: build/npm/.done ## Bundle the locked libraries of the console again; needs Node.js
	node .ci/vendor.mjs

lint-console: build/npm/.done ## Check the style, format and types of the console's JavaScript; needs Node.js
	$(NPM_BIN)/tsc --project api/console/tsconfig.json
	$(NPM_BIN)/tsc --project api/console/tsconfig.verify.json
	$(NPM_BIN)/eslint --max-warnings 0 api/console
	$(NPM_BIN)/prettier --check --log-level warn $(PRETTIER_FILES)

audit: dev ## Check the code with bandit, and the locked packages for known vulnerabilities; needs Node.js
	$(BIN)/python -m bandit --quiet --configfile pyproject.toml --recursive $(ROOMS)
	$(BIN)/python -m tests.supply_chain.audit $(ARGS)

sbom: dev ## Write the software bill of materials (CycloneDX) to build/
	@mkdir -p $(dir $(SBOM))
	PYTHONWARNINGS=ignore $(BIN)/python -m cyclonedx_py requirements requirements.txt --pyproject pyproject.toml --mc-type application \
		--spec-version 1.6 --output-reproducible --output-format JSON --output-file $(SBOM)
	$(BIN)/python -m tests.supply_chain.vendored $(SBOM)

fuzz-api: dev ## Test the service with generated requests for longer than the tests do
	ITEMLEDGER_TEST_API_EXAMPLES=1000 ITEMLEDGER_TEST_API_SEED=$${SEED:-$$(date +%s)} \
		$(BIN)/python -m pytest --timeout 0 -s tests/contract/test_schemathesis.py \
		tests/api/edge/test_raw_requests.py tests/system/test_raw_bytes.py $(ARGS)

format: dev ## Format the code
	$(BIN)/python -m ruff check --fix .
	$(BIN)/python -m ruff format .
	@if command -v npm > /dev/null; then $(MAKE) --no-print-directory format-console; \
		else echo "The console's code is not formatted: that needs Node.js (npm)."; fi

format-console: build/npm/.done ## Format the console's code; needs Node.js
	$(NPM_BIN)/eslint --fix api/console
	$(NPM_BIN)/prettier --write --log-level warn $(PRETTIER_FILES)

bench: dev ## Run the benchmarks
	$(BIN)/python -m benchmarks $(ARGS)

bench-feed: dev ## Measure the delay until events reach 1, 100 and 500 streaming clients
	$(BIN)/python -m benchmarks.feed $(ARGS)

lock: ## Lock the newest allowed versions, with their hashes
	@tmp=$$(mktemp -d) && trap 'rm -rf "$$tmp"' EXIT && $(PYTHON) -m venv "$$tmp" \
	&& "$$tmp/bin/python" -m pip --disable-pip-version-check --quiet install uv==$(UV_VERSION) \
	&& $(UV_COMPILE) pyproject.toml --group build --output-file requirements.txt \
	&& $(UV_COMPILE) pyproject.toml --group build --group dev --constraint requirements.txt --output-file requirements-dev.txt \
	&& $(UV_COMPILE) benchmarks/peers/requirements.in --output-file benchmarks/peers/requirements.txt

clean: ## Remove everything that make created, except the data in ./var
	rm -rf $(VENV) .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps record what is installed, so that a second call takes no time.
$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Itemledger needs Python 3.11 or newer: make $(or $(MAKECMDGOALS),install) PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(VENV)/.runtime: $(VENV)/.python requirements.txt pyproject.toml
	$(PIP_SYNC) requirements.txt
	$(PIP_SELF)
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements-dev.txt
	$(PIP_SYNC) requirements-dev.txt
	@touch $@

# The packages of the lock file, by hash. In a copy, so that nothing is installed beside the sources.
build/npm/.done: .ci/package.json .ci/package-lock.json
	@mkdir -p build/npm
	cp .ci/package.json .ci/package-lock.json build/npm
	npm ci --prefix build/npm --ignore-scripts --no-audit --no-fund --loglevel error
	@touch $@
