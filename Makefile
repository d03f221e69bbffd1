# Every target installs first if .venv is missing or older than what it is made from.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: install demo test check bench

install: $(INSTALLED)

# torch comes first and alone: it is by far the largest, and a failure is then easy to read.
$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -c constraints.txt torch
	$(BIN)/pip install -c constraints.txt -e '.[rooms,ears,speech2text,ray,hf,parquet,dev]'
	$(BIN)/pip install -c constraints.txt pesq || \
		echo 'PESQ is left out: it is built from source and needs a C compiler. All else works.'
	touch $@

demo: $(INSTALLED)
	$(BIN)/mondegreen demo

# Two processes of one thread each: faster than one of two, and the least that any machine has.
test: $(INSTALLED)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist loadfile --durations=10

check: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(INSTALLED)
	$(BIN)/python bench/threshold.py
	$(BIN)/python bench/overhead.py
	$(BIN)/python bench/rooms.py
