# The two commands of the README: `make demo` and `make test`. Everything lands in .venv; nothing else is touched.

ifeq ($(OS),Windows_NT)
PYTHON ?= py -3
BIN := .venv/Scripts
else
PYTHON ?= python3
BIN := .venv/bin
endif

PIP_INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt

.PHONY: install demo test pytest lint style types contracts words docs bench-install

install: .venv/installed

# A stamp, so that a second `make` installs only when a pin or a dependency changed.
.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) tools/system_libraries.py
	$(PYTHON) -m venv .venv
	$(PIP_INSTALL) torch
	$(PIP_INSTALL) --editable ".[test]"
	$(BIN)/python -c "open('.venv/installed', 'w').close()"

demo: install
	$(BIN)/necroseg demo

test: lint pytest

pytest: install
	$(BIN)/python -m pytest

lint: style types contracts

style: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install
	$(BIN)/mypy
	$(BIN)/mypy tests/typed_front_door.py

contracts: install
	$(BIN)/lint-imports --no-cache

# The German texts: collects those of the code, and compiles. It fails while one has no translation.
words: install
	$(BIN)/python tools/words.py

# The guide and the API as a site in build/docs; a dead link fails.
docs: .venv/docs-installed
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --fresh-env --quiet docs build/docs

.venv/docs-installed: .venv/installed
	$(PIP_INSTALL) "pip>=25.1"  # the first that knows groups
	$(PIP_INSTALL) --group docs
	$(BIN)/python -c "open('.venv/docs-installed', 'w').close()"

bench-install: install
	$(PIP_INSTALL) "pip>=25.1"
	$(PIP_INSTALL) --group bench
