"""One execution of each notebook for the whole run of the suite, whichever test asks first.

A notebook's small parameters stand in the ``TINY`` of the test module that is about it; a notebook
that no module names runs as it stands. Worker processes share the executed copies through a folder.
"""

import ast
import os
from functools import cache

import nbformat
from filelock import FileLock
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook

from mscm_lib.paths import project_root

ROOT = project_root()
FOLDERS = {"root": ".", "notebooks": "notebooks"}  # where the pipeline and where Jupyter start them


@cache
def tiny_parameters():
    """Every ``TINY`` of the modules beside this one, by notebook."""
    found = {}
    for path in sorted((ROOT / "tests/notebooks").glob("test_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "TINY":
                found |= ast.literal_eval(node.value)
    return found


class ExecutedNotebooks:
    """Executed notebooks by name and by the folder that they were started in.

    All that one process executes share one kernel, whose namespace is cleared in between: imports
    cost more than the notebooks.
    """

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self._kernel = None

    def path(self, stem, place="notebooks"):
        path = self.folder / f"{stem}--{place}.ipynb"
        with FileLock(path.with_suffix(".lock")):
            if not path.is_file():
                nbformat.write(self.run(stem, tiny_parameters().get(stem, {}), place), path)
        return path

    def get(self, stem, place="notebooks"):
        return nbformat.read(self.path(stem, place), as_version=4)

    def run(self, stem, parameters, place="notebooks"):
        """The notebook after its execution, without the cell that cleared the kernel."""
        if self._kernel is None:
            self._kernel = KernelManager(kernel_name="python3")
            self._kernel.start_kernel(cwd=str(ROOT))
        source = load_notebook_node(str(ROOT / "notebooks" / f"{stem}.ipynb"))
        notebook = parameterize_notebook(source, parameters, report_mode=False)
        notebook.cells.insert(0, new_code_cell(f"%reset -f\n%cd -q {ROOT / FOLDERS[place]}"))
        client = NotebookClient(notebook, km=self._kernel, timeout=120)
        try:
            client.execute()
        finally:
            if client.kc is not None:
                client.kc.stop_channels()
        notebook.cells.pop(0)
        return notebook

    def close(self):
        if self._kernel is not None:
            self._kernel.shutdown_kernel(now=True)


def shared_folder(tmp_path_factory):
    """A folder that all worker processes of this run of pytest see."""
    base = tmp_path_factory.getbasetemp()
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "executed"
