PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PIP := $(BIN)/pip --disable-pip-version-check -qq

.PHONY: venv demo bench test test-unit check format clean

venv: $(READY)

# The stamp is younger than the two files that define the tool-chain, so the installation runs once for each of their
# states. torch goes first and alone: it is the largest part, and all others then resolve against the pinned one.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		|| { echo "Bifrons needs Python 3.11 or later as $(PYTHON); name another one with PYTHON=..."; exit 1; }
	@test -x $(BIN)/pip || { echo "Making a virtual environment in $(VENV)"; $(PYTHON) -m venv $(VENV); }
	@echo "Installing torch (pinned; some minutes on the first run)"
	@$(PIP) install -c constraints.txt torch
	@echo "Installing Bifrons with its test and development tools"
	@$(PIP) install -c constraints.txt -e '.[test,dev]'
	@touch $@

demo: $(READY)
	$(BIN)/bifrons study studies/demo.toml --out runs --jobs 2

bench: $(READY)
	$(BIN)/python -m benchmarks

# Two processes of one thread each: small networks gain nothing from a second thread.
test: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile

test-unit: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile -m 'not slow'

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/basedpyright

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf build dist .pytest_cache .ruff_cache .hypothesis src/*.egg-info
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
