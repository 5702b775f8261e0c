"""The book tests show the very copies that the notebooks' own tests look at."""

from tests.notebooks.conftest import executed

__all__ = ["executed"]
