# The two commands of the README: `make demo` and `make test`. Everything lands in .venv; nothing else is touched.

ifeq ($(OS),Windows_NT)
PYTHON ?= py -3
BIN := .venv/Scripts
else
PYTHON ?= python3
BIN := .venv/bin
endif

PIP_INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt

.PHONY: install demo test lint bench-install

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

test: lint
	$(BIN)/python -m pytest

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy tests/typed_front_door.py
	$(BIN)/lint-imports --no-cache

bench-install: install
	$(PIP_INSTALL) "pip>=25.1"  # the first that knows groups
	$(PIP_INSTALL) --group bench
