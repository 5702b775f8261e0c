#!/usr/bin/env bash
# Configure this clone's git: outputs never enter it, and notebooks are compared and merged by cells.
# .gitattributes names the drivers. They are copied into git's own folder and named from there, so that
# they work in a renamed folder, in every worktree and at commits that have no such scripts.
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$(git rev-parse --show-toplevel 2>/dev/null || true)" = "$(pwd -P)" ] || exit 0 # no clone of its own

common=$(git rev-parse --git-common-dir)
for name in filter drivers; do
    cp "scripts/notebook_$name.py" "$common/notebook_$name.new"
    mv "$common/notebook_$name.new" "$common/notebook_$name.py"
done
# The system's Python will do, and the environment may be gone one day. -I -S: without user's settings.
python=$(command -v python3 >/dev/null && echo python3 || echo python)
run="$python -I -S \"\$(git rev-parse --git-common-dir)/notebook"
git config filter.nbstripout.process "${run}_filter.py\" process"
git config filter.nbstripout.clean "${run}_filter.py\" clean" # tools that know no other form
git config filter.nbstripout.smudge cat
git config filter.nbstripout.required true # when the filter fails, git takes no notebook at all
git config diff.jupyternotebook.command "${run}_drivers.py\" diff"
git config merge.jupyternotebook.driver "${run}_drivers.py\" merge %O %A %B %L %P"
git config merge.jupyternotebook.name "notebooks cell by cell"
