"""Library behind the MSCMNet study notebooks.

Imports run one way: ``data`` ← ``models``, ``losses``, ``metrics`` ← ``training``,
``evaluation`` ← ``reports``.
"""

__version__ = "0.1.0"
