# Everything sets itself up in .venv on a machine with Python 3.11+, pip and make; a second run is quick.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint .ci/constraints.txt

.PHONY: run test laws bench check clean

run: .venv/.run
	@$(BIN)/triage demo

test: check
	@$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

laws: .venv/.test
	@$(BIN)/python -m pytest -m laws --hypothesis-profile laws

bench: .venv/.bench
	@$(BIN)/python tests/benchmarks/bench.py

check: .venv/.test
	@$(BIN)/ruff check --quiet triage training tests
	@$(BIN)/ruff format --quiet --check triage training tests
	@$(BIN)/mypy
	@$(BIN)/lint-imports

.venv/.made:
	@$(PYTHON) -c 'import sys; sys.exit("triage needs Python 3.11 or newer; this is " + sys.version.split()[0] + ": run make PYTHON=python3.12") if sys.version_info < (3, 11) else 0'
	@$(PYTHON) -m venv .venv || { $(PYTHON) -m pip install --quiet --user virtualenv && $(PYTHON) -m virtualenv --quiet .venv; }
	@touch $@

.venv/.run: .venv/.made pyproject.toml .ci/constraints.txt
	@echo "installing triage into .venv (first run only)"
	@$(PIP) --editable .
	@touch $@

.venv/.test: .venv/.run
	@echo "installing the test tools into .venv (first run only)"
	@$(PIP) --editable '.[test]'
	@touch $@

.venv/.bench: .venv/.test
	@$(PIP) --editable '.[bench]'
	@touch $@

clean:
	rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis triage-data
