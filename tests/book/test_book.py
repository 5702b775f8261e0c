"""The book as a reader has it: built offline, opened from disk in a real browser, page by page."""

import json
import re
import shutil
import subprocess
import sys
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
import yaml

from mscm_lib.paths import project_root
from mscm_lib.reports import book
from mscm_lib.reports.copies import Copies
from mscm_lib.study.plan import write_plan
from mscm_lib.study.rehearsal import copy_project
from tests.notebooks.shared import TELLING

pytestmark = pytest.mark.timeout(600)
ROOT = project_root()
TINY_PEOPLE = {"train_identities": 8, "test_identities": 4, "shots": 2}
PHONE, DESKTOP = (390, 844), (1280, 900)
TYPESET = """
const done = arguments[0];
(function wait() {
  if (window.MathJax && MathJax.isReady) MathJax.Hub.Queue(() => done());
  else setTimeout(wait, 20);
})();
"""
LOOK = r"""
const prose = document.querySelector("article").cloneNode(true);
prose.querySelectorAll("pre, code, script, [class^=MathJax]").forEach(node => node.remove());
return {
  wide: document.documentElement.scrollWidth - window.innerWidth,
  absent: [...document.images].filter(i => !i.naturalWidth).map(i => i.src),
  outside: [...document.images].filter(i => i.getBoundingClientRect().width > window.innerWidth)
    .map(i => i.src),
  silent: [...document.querySelectorAll(".cell_output img")].filter(i => !i.alt.trim()).length,
  raw: prose.textContent.match(/\$[^$\n]{1,80}\$|\\\(|\\\[|\\begin\{/g),
  wanted: document.querySelectorAll("article .math.notranslate").length,
  typeset: document.querySelectorAll("article .math.notranslate .MathJax").length,
  failed: document.querySelectorAll(".MathJax_Error, .merror").length,
};
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of the repository with its results, and people few enough for stages' notebooks."""
    root = tmp_path_factory.mktemp("book") / "clone"
    copy_project(root)
    shutil.copytree(ROOT / "results", root / "results")
    path = root / "studies/quick/study.yaml"
    study = yaml.safe_load(path.read_text())
    study["data"]["quick"]["settings"] |= TINY_PEOPLE
    study["run"] |= {"identities_per_batch": 2, "images_per_identity": 2}
    path.write_text(yaml.safe_dump(study, sort_keys=False))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        write_plan()
    return root


@pytest.fixture(scope="module")
def site(project, executed):
    """The folder of the built pages."""
    ready = {stem: executed.path(stem) for stem in TELLING}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        front = book.build_book(ready=ready)
    return front.parent


@pytest.fixture(scope="module")
def browser():
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if not (chromium and driver):
        pytest.skip("no browser: install Debian's chromium and chromium-driver, or Chrome")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    window = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield window
    window.quit()


def _open(browser, page, size, query=""):
    metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size == PHONE}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.get(page.as_uri() + query)
    browser.execute_async_script(TYPESET)


def _requests(browser):
    for entry in browser.get_log("performance"):
        event = json.loads(entry["message"])["message"]
        if event["method"] == "Network.requestWillBeSent":
            yield event["params"]["request"]["url"]


def _pages(site):
    notebooks = sorted(site.glob("[0-9][0-9]_*.html"))
    return [site / "index.html", *notebooks, *(site / f"{name}.html" for name in book.PAGES)]


def test_every_notebook_has_a_page_and_a_place(site):
    stems = {path.stem for path in (ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb")}
    assert {path.stem for path in site.glob("[0-9][0-9]_*.html")} == stems
    front = (site / "index.html").read_text()
    assert all(f'href="{stem}.html"' in front for stem in stems)
    summary = (ROOT / "results/quick/tables/summary.md").read_text().splitlines()[2]
    assert all(cell.strip() in front for cell in summary.split("|")[:-2])  # then the command


def test_links_lead_somewhere(site):
    for page in _pages(site):
        text = page.read_text()
        for link in re.findall(r'(?:href|src)="([^"]+)"', text):
            target = urlsplit(link)
            if target.scheme or target.netloc:
                continue
            path = (page.parent / unquote(target.path)).resolve() if target.path else page
            assert path.exists(), (page.name, link)
            if target.fragment and path.suffix == ".html":
                assert f'id="{unquote(target.fragment)}"' in path.read_text(), (page.name, link)


def test_a_stage_that_was_not_made_says_so(site):
    text = (site / "10_train.html").read_text()
    assert "executed on a few steps" in text
    assert "executed on a few steps" not in (site / "05_qct.html").read_text()


def test_pages_are_whole_on_a_desk_and_on_a_telephone(site, browser):
    for page in _pages(site):
        for size in (DESKTOP, PHONE):
            _open(browser, page, size)
            seen = browser.execute_script(LOOK)
            errors = [e["message"] for e in browser.get_log("browser") if e["level"] == "SEVERE"]
            where = (page.name, size, seen, errors)
            assert not errors, where
            assert all(u.startswith(("file://", "data:")) for u in _requests(browser)), where
            assert seen["wide"] <= 0, where
            assert not seen["absent"] and not seen["outside"] and not seen["silent"], where
            assert not seen["raw"] and not seen["failed"], where
            assert seen["typeset"] >= seen["wanted"], where


def test_search_finds_a_word(site, browser):
    from selenium.webdriver.support.ui import WebDriverWait

    _open(browser, site / "search.html", DESKTOP, "?q=hinges")
    found = "return [...document.querySelectorAll('#search-results li a')].map(a => a.href)"
    links = WebDriverWait(browser, 20).until(lambda window: window.execute_script(found))
    assert any("11_training_report.html" in link for link in links)


def test_copies_are_kept_until_code_or_what_it_reads_changes(project, site, monkeypatch):
    monkeypatch.chdir(project)
    folder = project / "build/book/executed"
    assert Copies(folder).kept("10_train")
    before = Copies(folder).fingerprint("90_results", {})
    notebook = nbformat.read(project / "notebooks/90_results.ipynb", as_version=4)
    notebook.cells[0].source += "\n\nA sentence more."
    nbformat.write(notebook, project / "notebooks/90_results.ipynb")
    (project / "mscm_lib/losses/center.py").write_text("REMARK = 1\n")  # not what it imports
    assert Copies(folder).fingerprint("90_results", {}) == before
    (project / "results/quick/tables/new.csv").write_text("a\n1\n")
    assert Copies(folder).fingerprint("90_results", {}) != before
    loss = project / "mscm_lib/losses/quadruple_center.py"
    loss.write_text(loss.read_text() + "\nREMARK = 1\n")
    assert Copies(folder).kept("10_train") is None


def test_a_failing_notebook_is_one_line(project, site):
    notebook = nbformat.read(project / "notebooks/90_results.ipynb", as_version=4)
    notebook.cells[2].source = "raise ValueError('no such thing')"
    nbformat.write(notebook, project / "notebooks/90_results.ipynb")
    make = "from mscm_lib.reports.copies import *; Copies(resolve('build/book/executed')).make"
    done = subprocess.run(
        [sys.executable, "-c", f"{make}('90_results')"], cwd=project, capture_output=True, text=True
    )
    assert "notebooks/90_results.ipynb: cell 1 failed: ValueError: no such thing" in done.stderr
