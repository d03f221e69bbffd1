# Every target installs first if .venv is missing or older than what it is made from: the demo what a
# user installs, the others everything.
PYTHON ?= python3
BIN := .venv/bin
BASE := .venv/.base
INSTALLED := .venv/.installed

.PHONY: install demo test fuzz check docs site sounds bench bench-full bench-peers gpu-check

install: $(INSTALLED)

# torch comes first and alone: it is by far the largest, and a failure is then easy to read.
# pesqc2 says numpy<2, of its build too; built with the one that is there, it works.
$(BASE): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -c constraints.txt torch
	$(BIN)/pip install -c constraints.txt -e '.[rooms]'
	$(BIN)/pip install -c constraints.txt pesq cython setuptools && \
	$(BIN)/pip install -c constraints.txt --no-deps --no-build-isolation pesqc2 || \
		echo 'PESQ is left out: it is built from source and needs a C compiler. All else works.'
	touch $@

$(INSTALLED): $(BASE)
	$(BIN)/pip install -c constraints.txt -e '.[rooms,codecs,audio,ears,speech2text,ray,hf,parquet,denoise,dev]'
	touch $@

demo: $(BASE)
	$(BIN)/mondegreen demo

# Two processes of one thread each: faster than one of two, and the least that any machine has.
test: $(INSTALLED)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist loadfile --durations=10

# A hundred thousand hostile inputs for everything that reads; the tests read twenty thousand.
fuzz: $(INSTALLED)
	OMP_NUM_THREADS=1 $(BIN)/python tests/fuzzing.py --inputs 100000

check: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# docs/commands.md, from what the commands print for --help; docs/links.md, from the links.
docs: $(INSTALLED)
	$(BIN)/python docs/commands.py
	$(BIN)/python docs/links.py

# The site, in build/site: `python -m http.server --directory build/site` shows it.
site: $(INSTALLED)
	$(BIN)/python -m docs.website

# What it plays: the notebook, run, and the attacks of the gallery; kept in build/sounds.
sounds: $(INSTALLED)
	$(BIN)/python -m docs.sounds

# CLIPS are tables of clips (id, audio, text, target); the attacks on them are what takes the time.
CLIPS ?= $(MONDEGREEN_LIBRISPEECH)/clips.tsv $(MONDEGREEN_SPEECH)/clips.tsv
MEASURE = OMP_NUM_THREADS=1 $(BIN)/python -m bench $(CLIPS)
TIMED := threshold rooms passes batches memory
WORDS := moonshine-tiny
LETTERS := moonshine-tiny-ctc

# What tells time runs alone; then each recogniser in a process of its own. The page comes last.
bench: $(INSTALLED)
	$(MEASURE) --only $(TIMED) --turns 7
	$(MEASURE) --again --only quality --victim $(LETTERS) & other=$$!; \
	$(MEASURE) --again --only quality --victim $(WORDS) && wait $$other
	$(MEASURE) --only peers page

bench-full: $(INSTALLED)
	$(MEASURE) --full --only $(TIMED) --turns 31
	$(MEASURE) --full --only quality in-rooms --victim $(LETTERS) & other=$$!; \
	$(MEASURE) --full --only quality in-rooms --victim $(WORDS) && wait $$other
	$(MEASURE) --full --only peers page

# What others' packages make of the same clips, in an environment of their own; scored by bench-full.
bench-peers:
	bench/peers/run.sh $(CLIPS) --victim $(LETTERS)
	bench/peers/run.sh $(CLIPS) --victim $(WORDS)

# For whoever has a GPU: ten minutes of what is only true on one. Without, it says so.
gpu-check: $(INSTALLED)
	$(BIN)/python -m bench.gpu
