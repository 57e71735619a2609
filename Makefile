# `make run`: set-up, sample collection, dashboard.  `make test`: set-up, every test.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
WORKSPACE ?= workspace
PORT ?= 8501
# a file a worker: much of a browser test is waiting
PYTEST := OMP_NUM_THREADS=2 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile

.PHONY: run test check setup lint clean

setup: $(STAMP)

$(STAMP): requirements.txt
	@$(PYTHON) .ci/before_setup.py
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
	@touch $(STAMP)

run: setup
	@if $(BIN)/python -m core collections --json --workspace $(WORKSPACE) | grep -q '"collections": \[\]'; then \
		echo "The workspace is empty: drawing the sample collection (about a minute)."; \
		$(BIN)/python -m core sample --map --workspace $(WORKSPACE); fi
	@echo "Plankton Explorer: http://localhost:$(PORT)  (Ctrl-C stops it)"
	@PLANKTON_WORKSPACE=$(WORKSPACE) $(BIN)/python -m streamlit run dashboard/app.py --server.port $(PORT)

lint: setup
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy

check: lint
	$(PYTEST) -m "not slow and not browser"

test: lint
	$(PYTEST)

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
