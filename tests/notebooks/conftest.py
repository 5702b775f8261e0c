"""Executed notebooks for the tests about them."""

import pytest

from tests.notebooks.shared import ExecutedNotebooks, shared_folder


@pytest.fixture(scope="session")
def executed(tmp_path_factory):
    notebooks = ExecutedNotebooks(shared_folder(tmp_path_factory))
    yield notebooks
    notebooks.close()
