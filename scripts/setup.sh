#!/usr/bin/env bash
# Find or make the environment that the study needs, configure this clone's git, and run a command:
#   bash scripts/setup.sh [COMMAND …]
# An active environment (conda's or a venv) that holds what pyproject.toml asks for is taken as it is;
# else .venv is made below this folder from requirements.lock. Safe to run again and to interrupt.
#   PYTHON=…            the Python that .venv is made with
#   TORCH=cuda or cpu   the build of PyTorch, where it shall not be found out
set -euo pipefail
cd "$(dirname "$0")/.."
here=$(pwd -P)

say() {
    if [ -t 2 ] && [ -z "${NO_COLOR:-}" ]; then
        printf '\033[1m[set-up]\033[0m %s\n' "$*" >&2
    else
        printf '[set-up] %s\n' "$*" >&2
    fi
}
fail() { say "$*"; exit 1; }

check_system() { # what PyTorch's wheels are made for
    local libc
    case "$(uname -s)/$(uname -m)" in
        Linux/x86_64 | Linux/aarch64)
            libc=$(getconf GNU_LIBC_VERSION 2>/dev/null || true)
            case "$libc" in "glibc 2."*) [ "${libc#glibc 2.}" -ge 28 ] && return ;; esac ;;
        Darwin/arm64) return ;;
    esac
    fail "this is $(uname -s) on $(uname -m)${libc:+ with $libc}; supported are Linux (x86_64 or aarch64," \
        "glibc 2.28 or newer) and macOS on Apple silicon; on Windows it runs in WSL 2"
}

active_environment() { # one that is not ours to change: activated, or linked to from here
    local prefix="${VIRTUAL_ENV:-${CONDA_PREFIX:-}}"
    if [ -L .venv ]; then
        echo "$here/.venv"
    elif [ -n "$prefix" ] && [ "$(cd "$prefix" 2>/dev/null && pwd -P)" != "$here/.venv" ]; then
        echo "$prefix"
    fi
}

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

find_uv() {
    if command -v uv; then return; fi
    if [ ! -x .uv/bin/uv ]; then
        say "uv is not installed; putting a copy into .uv/"
        rm -rf .uv
        "$1" -m pip install --quiet --disable-pip-version-check --target .uv uv >&2 ||
            fail "pip could not install uv; check the network, or install uv by hand"
    fi
    echo .uv/bin/uv
}

pinned() { sed -n "s/^$1==\([^ ]*\).*/\1/p" requirements.lock; }

install_cpu_build() { # fails where the package index serves no CPU build, or one that does not load
    local build="torch==$(pinned torch)+cpu torchvision==$(pinned torchvision)+cpu"
    # shellcheck disable=SC2086  # two words
    "$uv" pip install --quiet --dry-run --no-deps $build 2>/dev/null || return 1
    awk '/^[A-Za-z0-9]/ { keep = $0 !~ /^(torch|torchvision|triton|nvidia-.*|cuda-.*)==/ } keep' \
        requirements.lock >.venv/cpu.lock
    "$uv" pip sync --quiet --require-hashes .venv/cpu.lock
    # shellcheck disable=SC2086
    "$uv" pip install --quiet --no-deps $build
    .venv/bin/python -c 'import torchvision' 2>/dev/null
}

make_environment() { # .venv; what it was made from is written last, so that half a one is made again
    local build="${TORCH:-}" made wanted
    case "$build" in cpu | cuda | '') ;; *) fail "TORCH=$build: expected cpu or cuda" ;; esac
    wanted="$(cat requirements.lock pyproject.toml scripts/setup.sh | cksum | tr ' ' -)-$here"
    made=$(cat .venv/.made-from 2>/dev/null || true)
    if [ -x .venv/bin/python ] && [ -z "$build" ] && [ "${made%% torch *}" = "$wanted" ]; then return; fi
    if [ -x .venv/bin/python ] && [ "$made" = "$wanted torch $build" ]; then return; fi

    local python uv
    python=$(find_python)
    uv=$(find_uv "$python")
    say "making .venv from requirements.lock (several GB on the first run)"
    # Its commands must outlive a renamed folder.
    if [ ! -x .venv/bin/python ] || ! grep -qs '^relocatable = true' .venv/pyvenv.cfg; then
        "$uv" venv --quiet --clear --relocatable --python "$python" .venv
    fi
    rm -f .venv/.made-from
    export VIRTUAL_ENV="$here/.venv"
    if [ -z "$build" ]; then # a build that was chosen once stays
        case "$made" in *" torch "*) build=${made##* torch } ;; esac
    fi
    if [ "$build" != cuda ] && [ "$(uname -s)" = Linux ] &&
        { [ "$build" = cpu ] || ! nvidia-smi -L >/dev/null 2>&1; }; then
        if install_cpu_build; then
            build=cpu
            say "PyTorch's CPU build; for a GPU elsewhere (a cluster's nodes): make setup TORCH=cuda"
        else
            [ "$build" != cpu ] || fail "this package index serves no CPU build of PyTorch that loads"
            build=cuda
            say "no NVIDIA GPU here, but this package index serves no CPU build of torch $(pinned torch)" \
                "and torchvision $(pinned torchvision): taking the one with CUDA, 3.4 GB more"
        fi
    fi
    if [ "$build" != cpu ]; then "$uv" pip sync --quiet --require-hashes requirements.lock; fi
    "$uv" pip install --quiet --no-deps --no-build-isolation --editable .
    printf '%s torch %s' "$wanted" "${build:-cuda}" >.venv/.made-from
}

check_system
bin="$here/.venv/bin"
active=$(active_environment)
if [ -n "$active" ]; then
    status=0
    line=$("$active/bin/python" -P scripts/environment.py 2>&1) || status=$?
    if [ $status = 2 ]; then
        "$active/bin/python" -m pip install --quiet --no-deps --no-build-isolation --editable . ||
            fail "pip could not install the study's library in $active"
        status=0 line="the study's library is installed in it"
    fi
    if [ $status = 0 ]; then
        say "using the active environment $active: $line"
        bin="$active/bin"
    elif [ -L .venv ]; then
        fail "the environment that .venv links to will not do: $line"
    else
        say "not using the active environment $active: $line"
        active=
    fi
fi
if [ -z "$active" ]; then make_environment; fi
bash scripts/git_drivers.sh
export PATH="$bin:$PATH"
if [ $# -gt 0 ]; then exec "$@"; fi
