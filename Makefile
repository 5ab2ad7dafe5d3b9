# Everything works as the first command in a fresh clone, with Python 3.11+ and make alone.
PYTHON ?= python3
VENV   ?= .venv
# Tests wait for half of their time: for servers, deadlines, and what must not happen.
WORKERS ?= 3
FUZZ_SECONDS ?= 60
SOAK_SECONDS ?= 3600
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet

# What a process compiles, the next one need not: commands and tests start hundreds.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run test test-fast check format lint types contracts bench soak soak-crash \
        soak-reminders fuzz migration protocol lock build clean

help:
	@echo "make run        the server with demo data, on http://127.0.0.1:8000"
	@echo "make test       every test, on SQLite, PostgreSQL and Valkey, with the official clients"
	@echo "make check      format, lint, types, import contracts and the fast tests"
	@echo "make bench      the benchmarks, peers beside us in the same run"
	@echo "make soak       the long forms: soak-crash for SOAK_SECONDS=3600, then soak-reminders"
	@echo "make fuzz       the coverage-guided fuzzer, for FUZZ_SECONDS=60; on Linux"
	@echo "make migration m='Say what changes.'   a new migration from the tables"
	@echo "make build      wheel and source distribution, in dist/"
	@echo "make lock       the lock files anew, from pyproject.toml"
	@echo "make protocol   the Protobuf messages anew, from messaging/protocol/client.proto"

# --- environments: made once, and again when a lock file changes -----------------------------

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Zaffa needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements.lock pyproject.toml hatch_build.py messaging/native.c | $(BIN)/python
	@echo "installing what Zaffa needs (once)"
	$(PIP) install --require-hashes --no-deps --only-binary :all: -r requirements.lock
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.development: requirements-dev.lock pyproject.toml hatch_build.py messaging/native.c | $(BIN)/python
	@echo "installing what Zaffa's tests need (once)"
	$(PIP) install --require-hashes --no-deps --only-binary :all: -r requirements-dev.lock
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@ $(VENV)/.runtime

$(VENV)/.fuzzing: requirements-fuzz.lock $(VENV)/.development
	@echo "installing the fuzzer (once)"
	$(PIP) install --require-hashes --no-deps --only-binary :all: -r requirements-fuzz.lock
	@touch $@

# --- running --------------------------------------------------------------------------------

run: $(VENV)/.runtime
	$(BIN)/zaffa serve --demo

# --- testing --------------------------------------------------------------------------------

test: $(VENV)/.development
	# Files with few tests are often the longest: taken last, they would keep one worker busy alone.
	$(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

test-fast: $(VENV)/.development
	$(BIN)/pytest -m "not external and not crash"

format: $(VENV)/.development
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: $(VENV)/.development
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.development
	$(BIN)/mypy

contracts: $(VENV)/.development
	$(BIN)/lint-imports

check: lint types contracts test-fast

bench: $(VENV)/.development
	$(BIN)/python -m benchmarks

# CONTRIBUTING.md says what each of them proves, and how long it takes.
soak: soak-crash soak-reminders

soak-crash: $(VENV)/.development
	ZAFFA_TEST_SOAK_SECONDS=$(SOAK_SECONDS) $(BIN)/pytest -s -m crash --timeout 7200 tests/crash

soak-reminders: $(VENV)/.development
	ZAFFA_TEST_SOAK_SECONDS=$(SOAK_SECONDS) $(BIN)/pytest -n $(WORKERS) --timeout 7200 \
	  tests/reminders tests/flows/test_reminders_bad_input.py

fuzz: $(VENV)/.fuzzing
	$(BIN)/python -m tests.fuzz.guided --seconds $(FUZZ_SECONDS)

# --- making ---------------------------------------------------------------------------------

migration: $(VENV)/.development
	$(BIN)/zaffa db revision "$(m)"

protocol: $(VENV)/.development
	$(BIN)/python -m grpc_tools.protoc -I . --python_out=. --pyi_out=. messaging/protocol/client.proto

lock: $(VENV)/.development
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-header --no-annotate pyproject.toml --group run -o requirements.lock
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-header --no-annotate pyproject.toml --group dev -o requirements-dev.lock
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-header --no-annotate --group fuzz -o requirements-fuzz.lock

build: $(VENV)/.development
	$(BIN)/python -m build --no-isolation

clean:
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
