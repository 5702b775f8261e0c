#!/usr/bin/env bash
# Compile requirements.lock from pyproject.toml: all platforms, all supported Pythons, hashes, no
# addresses. Run it after changing a dependency.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=$(command -v uv || echo .uv/bin/uv)
"$uv" pip compile --quiet --universal --generate-hashes --all-extras --no-emit-index-url --no-header \
    --python-version 3.11 pyproject.toml --output-file requirements.lock "$@"
