# Two commands: `make demo` (SERVER=torchserve for the other server) and `make test`. Each does its own set-up.
PYTHON ?= python3
SERVER ?= triton
BIN := .venv/bin
OWN_PACKAGES := -e '.[dev]' -e examples/midspan-rawpixels -e tests/faulty_plugin

.PHONY: setup demo test lint clean

setup: .venv/.ready

.venv/.ready: pyproject.toml constraints.txt $(wildcard examples/*/pyproject.toml tests/*/pyproject.toml)
	$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 10) <= v <= (3, 12) else f"needs Python 3.10 to 3.12, got {v[0]}.{v[1]}; set PYTHON=")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --constraint constraints.txt 'torch==2.13.0'
	$(BIN)/pip install --quiet --constraint constraints.txt $(OWN_PACKAGES)
	touch $@

bundles/efficientnet-lite/bundle.json: .venv/.ready
	$(BIN)/midspan zoo build --output bundles/efficientnet-lite

demo: .venv/.ready bundles/efficientnet-lite/bundle.json
	$(BIN)/midspan demo --server $(SERVER)

lint: .venv/.ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy handlers/midspan_handler.py model_repository/midspan/1/model.py
	$(BIN)/lint-imports

test: lint bundles/efficientnet-lite/bundle.json
	$(BIN)/pytest

clean:
	rm -rf .venv bundles out
