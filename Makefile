# Everything a clone needs is Python 3.11 or newer, git and make; all else is installed into .venv.

.DEFAULT_GOAL := help
.PHONY: help demo test lint docs docs-heavy pictures tables coverage stress mutants matrix release benchmark constraints clean

# The first interpreter that is new enough and can make a virtual environment; `make PYTHON=...` overrules.
PYTHON ?= $(shell for name in python3.11 python3 python3.12 python3.13 python; do \
	$$name -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$name && break; done)
BIN := .venv/bin
# -qq: only errors. --no-compile: Python compiles what is imported, far less than what is installed, and keeps it.
unexport PYTHONDONTWRITEBYTECODE
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check --no-compile

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1@\2/p' Makefile | awk -F@ '{printf "%-18s%s\n", $$1, $$2}'

demo: .venv/demo ## Run the example on real data, diagnose it twice, and show what there is
	@$(BIN)/python examples/demo.py

test: .venv/dev .venv/omegaconf-2.3 ## Run all tests, then lint
	$(BIN)/pytest -n 2 tests src
	$(BIN)/pytest -n 2 README.md docs  # a page in one process: its blocks build on each other
	PYTHONPATH="$(CURDIR)/.venv/omegaconf-2.3" $(BIN)/pytest -n 2 -m compat
	@$(MAKE) --no-print-directory lint

lint: .venv/dev ## Check style and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/mypy conftest.py  # by itself: tests have a module of that name too
	$(BIN)/basedpyright

docs: .venv/dev ## Build the documentation into docs/_build
	$(BIN)/sphinx-build --quiet --fail-on-warning docs docs/_build
	@echo "docs/_build/index.html"

docs-heavy: .venv/heavy ## Run the pages that need torch, which is large, in an environment of their own
	.venv/heavy/bin/python -m pytest -p no:cacheprovider docs/howto/trainers.md

pictures: .venv/dev ## Draw the pictures of the documentation
	$(BIN)/python docs/draw.py

tables: .venv/dev ## Write the tables of docs/guarantees.md and the map of CONTRIBUTING.md
	NAGA_TABLES=write $(BIN)/pytest -n 2 tests/integration tests/faults tests/unit/test_contributing.py

coverage: .venv/dev .venv/omegaconf-2.3 ## Run the tests, in all their processes, under coverage; at least 92% of lines and branches
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -n 2 tests src; tests=$$?; \
		$(BIN)/coverage combine --quiet && $(BIN)/coverage report && exit $$tests  # reported although a test fails

stress: .venv/dev ## Run the long forms of the slow tests; `make test` has their short forms
	$(BIN)/pytest -m stress --timeout 3600

mutants: .venv/dev ## Change the source of ROOM in 200 small ways, and list those that its tests let live
	$(BIN)/python tests/mutants.py $(or $(ROOM),secrets record save_dir run tracking process config capture)

benchmark: .venv/dev ## Measure what Naga costs, and write it down for the page that draws releases side by side
	$(BIN)/python -m benchmarks --save
	$(BIN)/python docs/draw.py benchmarks

matrix: .venv/dev ## Run the tests under every Python, OmegaConf and MLflow that is supported and found
	$(BIN)/python tests/matrix.py $(MATRIX)

.PHONY: crate
crate: .venv/dev .venv/crate ## Export a run of the demo, and validate the zip as a Process Run Crate
	@test -f data/digits.csv.gz || $(BIN)/python examples/digits/prepare.py
	$(BIN)/python examples/digits/digits.py save_dir=results/crate
	@rm -f results/crate.zip
	$(BIN)/naga export results/crate --to results/crate.zip
	.venv/crate/bin/python tests/crate/validate.py results/crate.zip

release: .venv/dev .venv/release ## Look at the version, the changelog, the wheel, and the demo that is run from it
	$(BIN)/python tests/release.py

constraints: .venv/dev ## Write the versions in .venv to constraints.txt
	$(BIN)/python -m pip freeze --all --exclude-editable > constraints.txt

clean: ## Remove .venv and everything built
	rm -rf .venv docs/_build

.venv/python:
	@test -n "$(PYTHON)" || { \
		echo "make: Naga needs Python 3.11 or newer with its venv module; found: $$(python3 --version 2>&1)" >&2; \
		echo "  install it, or say where it is: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; exit 2; }
	@echo "Setting up .venv, once; this takes a minute or two ..."
	@$(PYTHON) -m venv .venv
	@$(PIP) --constraint constraints.txt --upgrade pip  # an older one cannot read dependency groups
	@touch $@

.venv/demo .venv/dev .venv/release: .venv/python pyproject.toml constraints.txt
	@$(PIP) --constraint constraints.txt --group $(@F) --editable .
	@touch $@

.venv/heavy: pyproject.toml
	@$(PYTHON) -m venv .venv/heavy
	@.venv/heavy/bin/python -m pip install -qq --disable-pip-version-check --constraint constraints.txt --upgrade pip
	@.venv/heavy/bin/python -m pip install -qq --disable-pip-version-check --constraint constraints.txt --group heavy --editable .
	@touch $@

# By itself: it needs other versions than the tests do.
.venv/crate: .venv/python
	@$(BIN)/python -m venv $@
	@$@/bin/python -m pip install -qq --disable-pip-version-check --no-compile roc-validator==0.13.0
	@touch $@

# The other supported OmegaConf, and the Hydra that needs it, beside the environment: PYTHONPATH puts them in front.
.venv/omegaconf-2.3: .venv/dev
	@$(PIP) --no-deps --upgrade --target $@ omegaconf==2.3.1 hydra-core==1.3.8 hydra-joblib-launcher==1.2.0 \
		hydra-submitit-launcher==1.2.0 antlr4-python3-runtime==4.9.3
	@touch $@
