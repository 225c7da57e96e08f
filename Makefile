# One door: `make` alone says what is behind it.
#
# Needs git, make and Python 3.11 to 3.14, no more: `setup` brings the rest (scripts/bootstrap.py says how).
# Settings, on the command line or in the environment:
#   PYTHON=python3.12   the interpreter .venv is made with (default: scripts/find-python chooses)
#   ARGS="..."          further options for up, down, reset, bench and for pytest
#   TESTS=tests/unit    where test, check and soak look for tests
#   BENCH=book          which bench to run (`make help` lists them; default: all)
#   UPGRADE=1           lock takes the newest versions that pyproject.toml allows

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup engine up down reset test test-page check quick lint bench soak lock clean
MAKEFLAGS += --no-print-directory --no-builtin-rules

# What another project left in the shell must not leak into this one. Python keeps what it has compiled: else each process
# begins with compiling four hundred files.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV PYTHONDONTWRITEBYTECODE

ARGS ?=
BENCH ?= all
TESTS ?= tests
PYTHON ?=
UPGRADE ?=

RUN := .venv/bin
READY := .venv/ready
BUILT := .venv/engine
NODE_MODULES := packages/node_modules/.package-lock.json
# The suite is written for a machine with two cores. Tests of one file share a worker, and what they start once. Slow tests
# wait for most of their time, for blocks and gates: a third worker uses it. They begin in the order that tests/conftest.py says.
PYTEST := $(RUN)/python -m pytest --dist loadfile
FAST := $(PYTEST) -n 2 -m "not slow and not soak"
SLOW := $(PYTEST) -n 3 --no-loadscope-reorder -m "slow and not soak"
# Of the tests that TESTS and ARGS name, all may be fast or all slow: pytest says so with 5.
OR_NONE := || { status=$$?; test $$status -eq 5 || exit $$status; }

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

setup: $(READY) ## make .venv with everything in it; quick when nothing changed
	@echo "==> ready: $(RUN)/gridtokenx"

engine: $(BUILT) ## build the consensus engine into .venv, a minute or two, once: for networks and for make test
	@echo "==> ready: $(RUN)/cometbft"

up: $(READY) ## start the market on the shipped community and show it live
	@$(RUN)/gridtokenx up $(ARGS)

down: $(READY) ## stop the market
	@$(RUN)/gridtokenx down $(ARGS)

reset: $(READY) ## stop the market and delete its state
	@$(RUN)/gridtokenx reset $(ARGS)

# The engine's first build runs beside what does not need it. PYTHON has been heeded by then.
test: $(READY) ## lint, types and every test but the soak
	@$(MAKE) -j2 PYTHON= engine quick
	@$(RUN)/python scripts/debian_packages.py chromium
	@$(RUN)/python scripts/debian_packages.py softhsm2 || true  # its tests skip, and say so
	@echo "==> the slow tests in $(TESTS)"
	@$(SLOW) $(TESTS) $(ARGS) $(OR_NONE)

# One after the other, so that their lines do not mix.
quick:
	@$(MAKE) check
	@$(MAKE) test-page

check: lint ## lint, types and the fast tests
	@echo "==> the fast tests in $(TESTS)"
	@$(FAST) $(TESTS) $(ARGS) $(OR_NONE)

test-page: $(NODE_MODULES) ## types and tests of packages/: the page and the TypeScript SDK
	@echo "==> types of packages/"
	@sh scripts/npm run check --workspaces --if-present
	@echo "==> tests of packages/"
	@sh scripts/npm test --workspaces --if-present

bench: $(READY) ## measure: BENCH=ledger, consensus, failover, membership or another (`gridtokenx bench --help` lists them) or all
	@$(RUN)/gridtokenx bench $(BENCH) --quick $(ARGS)

# What takes minutes by itself hangs only after an hour.
soak: $(BUILT) ## the long tests: more seeds, more keys, hours of market
	@echo "==> the soak tests in $(TESTS)"
	@HYPOTHESIS_PROFILE=soak $(RUN)/python -m pytest -o faulthandler_timeout=3600 -m soak $(TESTS) $(ARGS)

lock: ## write requirements.lock and scripts/uv-pin.txt (UPGRADE=1: newest versions)
	@python="$$(PYTHON='$(PYTHON)' sh scripts/find-python)" && \
	    "$$python" scripts/bootstrap.py lock $(if $(UPGRADE),--upgrade)

clean: ## delete what setup and the tools made, never the state of a market
	rm -rf .venv .tools .mypy_cache .ruff_cache .pytest_cache .hypothesis
	rm -rf packages/node_modules packages/*/node_modules packages/*/dist
	find src tests scripts -name __pycache__ -type d -prune -exec rm -rf {} +

lint: $(READY)
	@echo "==> ruff"
	@$(RUN)/ruff check .
	@echo "==> mypy --strict"
	@$(RUN)/mypy

# What npm writes last when it has installed everything.
$(NODE_MODULES): packages/package-lock.json $(READY)
	@sh scripts/npm ci --ignore-scripts
	@touch $@

# An interpreter that is named is looked at each time; the bootstrap does nothing when .venv is its own already.
$(if $(PYTHON),.PHONY: $(READY))
SETUP := $(addprefix scripts/,bootstrap.py debian_packages.py uv_tool.py package_index.py uv-pin.txt)
PAGE := $(shell find packages \( -name node_modules -o -name dist -o -name tests -o -name cometbft \) -prune -o -type f -print)
$(READY): requirements.lock pyproject.toml $(SETUP) $(PAGE)
	@python="$$(PYTHON='$(PYTHON)' sh scripts/find-python)" && "$$python" scripts/bootstrap.py setup
	@touch $@

# Setup installs a built engine again, but builds none.
ENGINE := $(shell find packages/cometbft -name __pycache__ -prune -o -type f -print)
$(BUILT): $(READY) $(ENGINE)
	@$(RUN)/python scripts/bootstrap.py engine
	@touch $@
