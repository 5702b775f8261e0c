SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
STUDY ?= quick
ON ?=
JOBS ?= 1

.PHONY: help setup study preset experiments rehearse book test lint lab lock clean distclean

help: ## what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: ## uv, .venv, kernel, git drivers (every other target does this by itself)
	@bash scripts/setup.sh

study: setup ## make a study: train, evaluate, tables, figures, pages (STUDY=components ON=sysu JOBS=2)
	@mscm study $(STUDY) $(if $(ON),--on $(ON)) --jobs $(JOBS)

preset experiments:
	@echo "make $@ is now: make study STUDY=$(or $(PRESET),$(EXPERIMENT),quick)$(if $(ON), ON=$(ON))"; exit 2

rehearse: setup ## run the paper's three studies on miniature emulated trees
	@mscm rehearse

book: setup ## a static site of all notebooks, with search: build/book/html/index.html
	@mscm book

test: setup ## lint, types and the whole test suite
	@bash scripts/test.sh

lint: setup ## ruff (library and notebooks) and mypy
	@ruff check . && ruff format --check . && mypy

lab: setup ## read and run the notebooks in JupyterLab
	@jupyter lab notebooks

lock: setup ## compile requirements.lock and environment.yml from pyproject.toml
	@bash scripts/lock.sh

clean: ## remove what can be made again: build/, runs/, packed data, DVC's cache
	rm -rf build runs data/packed .dvc/cache .dvc/tmp

distclean: clean ## clean, and remove the environment as well
	rm -rf .venv .uv .mypy_cache .ruff_cache .pytest_cache
