"""The documents beside the code agree with it, and their links lead somewhere."""

import re

import pytest
import yaml

import mscm_lib
from mscm_lib.paths import project_root

DOCUMENTS = ("README.md", "MODEL_CARD.md", "DATASET_CARD.md", "CONTRIBUTING.md", "CHANGELOG.md")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_link_to_a_file_leads_to_one(name):
    text = (project_root() / name).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link]
    missing = [link for link in links if not (project_root() / link).exists()]
    assert not missing
    assert name == "README.md" or f"({name})" in (project_root() / "README.md").read_text("utf-8")


def test_citation_and_changelog_name_the_version():
    cited = yaml.safe_load((project_root() / "CITATION.cff").read_text(encoding="utf-8"))
    assert cited["version"] == mscm_lib.__version__
    assert f"## {mscm_lib.__version__}" in (project_root() / "CHANGELOG.md").read_text("utf-8")
