"""Library behind the MSCMNet study notebooks.

Imports run one way: ``data`` ← ``models``, ``losses``, ``metrics`` ← ``training``,
``evaluation`` ← ``reports``.
"""

import os

# cuBLAS reads it once, at a process's first product; without it sums depend on the stream
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

__version__ = "0.1.0"
