# `make run` and `make test` need only Python 3.11 or later, make, and a package index; see CONTRIBUTING.md.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
PORT ?= 8710

# A stamp says that what it is named after is installed as pinned; a second `make run` finds it and starts at once.
RUN_STAMP := $(VENV)/.bellwire-run
TEST_STAMP := $(VENV)/.bellwire-test
BENCH_VENV := .venv-bench
BENCH_STAMP := $(BENCH_VENV)/.bellwire-bench

.PHONY: help run test unit check format docs bench torture lock audit clean

help:
	@echo "make run     install into $(VENV) and start 'bellwire dev' on port $(PORT)"
	@echo "make test    install, then check and run all tests"
	@echo "make unit    only the unit tests (seconds)"
	@echo "make check   format, lint, types, import directions"
	@echo "make format  put the sources into the house format"
	@echo "make docs    write the reference pages of docs/ from the declarations, and build the site into site/"
	@echo "make bench   measure against the budgets of design.md"
	@echo "make torture five minutes of kill -9, full disks, clock jumps and broken endpoints (SECONDS=, SEED=)"
	@echo "make lock    resolve requirements/*.txt anew"
	@echo "make audit   ask an advisory service about what Bellwire runs on (fails where it can't be asked)"
	@echo "make clean   remove $(VENV), caches and build products"

run: $(RUN_STAMP)
	@exec $(BIN)/bellwire dev --port $(PORT)

# Most tests wait for sockets, disks and processes rather than for a core: four at once, file by file.
test: check
	$(BIN)/pytest -n 4 --dist loadfile

unit: $(TEST_STAMP)
	$(BIN)/pytest tests/unit

check: $(TEST_STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(TEST_STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# To read it with its search: python3 -m http.server --directory site
docs: $(TEST_STAMP)
	$(BIN)/bellwire families --markdown > docs/event-filters.md
	$(BIN)/bellwire settings --markdown > docs/configuration.md
	$(BIN)/python -m tests.licences > docs/licences.md
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

bench: $(TEST_STAMP) $(BENCH_STAMP)
	$(BIN)/python -m bench

# Its disk can be filled up only where it may mount one: as root. See docs/operations.md.
torture: $(TEST_STAMP)
	@$(BIN)/python -m torture $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED))

# What Bellwire is compared with (bench/usual_way.py) is kept apart from it.
$(BENCH_STAMP): requirements/bench.txt | $(BIN)/python
	@echo "Installing what it is compared with into $(BENCH_VENV)"
	@$(PYTHON) -m venv $(BENCH_VENV)
	@$(BENCH_VENV)/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes -r requirements/bench.txt
	@touch $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Bellwire needs Python 3.11 or later; '$(PYTHON)' is not one. Name one with: make PYTHON=python3.11 …" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "'$(PYTHON)' comes without venv; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "Making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)

$(RUN_STAMP): requirements/build.txt requirements/run.txt pyproject.toml | $(BIN)/python
	@echo "Installing Bellwire into $(VENV)"
	@$(PIP) install --require-hashes -r requirements/build.txt
	@$(PIP) install --require-hashes --no-build-isolation -r requirements/run.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@$(BIN)/python -m compileall -q src
	@touch $@

# The tests' set holds the run set at the same versions, so it satisfies `make run`, too.
$(TEST_STAMP): requirements/build.txt requirements/test.txt pyproject.toml | $(BIN)/python
	@echo "Installing Bellwire and what its tests need into $(VENV)"
	@$(PIP) install --require-hashes -r requirements/build.txt
	@$(PIP) install --require-hashes --no-build-isolation -r requirements/test.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@$(BIN)/python -m compileall -q src
	@touch $@ $(RUN_STAMP)

# The tests' set is resolved first, since it is the narrower one: the SDK under test pins versions that run has to share.
LOCK := $(BIN)/uv pip compile --quiet --upgrade --generate-hashes --universal --python-version 3.11 \
	--no-emit-index-url --no-annotate --no-header
lock: $(TEST_STAMP)
	$(PIP) install --require-hashes -r requirements/lock.txt
	$(LOCK) pyproject.toml requirements/build.in --extra test -o requirements/test.txt
	$(LOCK) pyproject.toml requirements/build.in --extra console -c requirements/test.txt -o requirements/run.txt
	$(LOCK) requirements/build.in -c requirements/test.txt -o requirements/build.txt
	$(LOCK) requirements/lock.in -o requirements/lock.txt
	$(LOCK) requirements/bench.in -c requirements/test.txt -o requirements/bench.txt
	$(LOCK) requirements/audit.in -o requirements/audit.txt

# In an environment of its own, since it pins versions that others have to differ from. What can be said without the
# service (all is pinned, with hashes, under known licences) is said by tests/unit/test_dependencies.py.
AUDIT_STAMP := $(VENV)/audit/.installed
audit: $(AUDIT_STAMP)
	@$(BIN)/python -m tests.advisories $(VENV)/audit/bin/pip-audit $(AUDIT)

$(AUDIT_STAMP): requirements/audit.txt | $(BIN)/python
	@$(PYTHON) -m venv $(VENV)/audit
	@$(VENV)/audit/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes -r requirements/audit.txt
	@touch $@

clean:
	rm -rf $(VENV) $(BENCH_VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist site
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
