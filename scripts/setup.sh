#!/usr/bin/env bash
# Create everything the study needs below this folder: uv, .venv from requirements.lock, the Jupyter
# kernel, nbdime's and nbstripout's git configuration. Safe to run again, and after an interruption.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\033[1m[set-up]\033[0m %s\n' "$*"; }
fail() { printf '[set-up] %s\n' "$*" >&2; exit 1; }

find_python() { # the first Python of a supported version
    local candidate
    for candidate in "${PYTHON:-python3}" python3.13 python3.12 python3.11 python; do
        if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then
            "$candidate" -c 'import sys; print(sys.executable)'
            return
        fi
    done
    fail "no Python 3.11, 3.12 or 3.13 found; install one, or name it: make PYTHON=/path/to/python3 …"
}

python=$(find_python)

if command -v uv >/dev/null 2>&1; then
    uv=uv
elif [ -x .uv/bin/uv ]; then
    uv=.uv/bin/uv
else
    say "uv is not installed; putting a copy into .uv/"
    rm -rf .uv
    "$python" -m pip install --quiet --disable-pip-version-check --target .uv uv ||
        fail "pip could not install uv; check the network, or install uv by hand"
    uv=.uv/bin/uv
fi

# A marker in the environment says what it was made from; without it everything is done again.
wanted=$(cat requirements.lock pyproject.toml scripts/setup.sh | sha256sum | cut -d' ' -f1)-$PWD
if [ "$(cat .venv/.made-from 2>/dev/null || true)" != "$wanted" ]; then
    say "making .venv from requirements.lock (several GB on the first run)"
    [ -x .venv/bin/python ] || "$uv" venv --quiet --clear --python "$python" .venv
    export VIRTUAL_ENV="$PWD/.venv"
    "$uv" pip sync --quiet --require-hashes requirements.lock
    "$uv" pip install --quiet --no-deps --no-build-isolation --editable .
    .venv/bin/python -m ipykernel install --sys-prefix --name python3 >/dev/null
    printf '%s' "$wanted" >.venv/.made-from
fi

# Notebook diffs show prose and code, and no outputs enter git. .gitattributes names these drivers.
if [ "$(git rev-parse --show-toplevel 2>/dev/null || true)" = "$PWD" ]; then
    bin="$PWD/.venv/bin"
    git config diff.jupyternotebook.command \
        "'$bin/git-nbdiffdriver' diff --ignore-outputs --ignore-metadata --ignore-details --ignore-id"
    git config merge.jupyternotebook.driver "'$bin/git-nbmergedriver' merge %O %A %B %L %P"
    git config merge.jupyternotebook.name "nbdime: merge notebooks cell by cell"
    git config difftool.nbdime.cmd "'$bin/git-nbdifftool' diff \"\$LOCAL\" \"\$REMOTE\" \"\$BASE\""
    git config filter.nbstripout.clean "'$bin/nbstripout' --keep-id --extra-keys metadata.language_info"
    git config filter.nbstripout.smudge cat
fi
