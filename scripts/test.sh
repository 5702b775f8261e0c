#!/usr/bin/env bash
# The whole suite: lint, types, tests. Says at the end where to look.
set -euo pipefail
cd "$(dirname "$0")/.."
ruff check .
ruff format --check .
mypy
pytest -n "${TEST_WORKERS:-2}" "$@"
