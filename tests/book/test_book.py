"""The book as a reader has it: built offline, opened from disk in a real browser, page by page."""

import json
import re
from urllib.parse import unquote, urlsplit

import nbformat
import pytest

from mscm_lib.paths import resolve
from mscm_lib.reports import book
from mscm_lib.reports.executed import shown
from mscm_lib.study.copies import all_notebooks

pytestmark = pytest.mark.timeout(600)
PHONE, DESKTOP = (390, 844), (1280, 900)
TYPESET = """
const done = arguments[0];
(function wait() {
  if (window.MathJax && MathJax.isReady) MathJax.Hub.Queue(() => done());
  else setTimeout(wait, 20);
})();
"""
LOOK = r"""
const prose = (document.querySelector("article") ?? document.body).cloneNode(true);
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
def site(tmp_path_factory):
    """The folder of the pages, built from what is committed."""
    return book.build_book(tmp_path_factory.mktemp("book")).parent


def _resize(browser, size):
    metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size == PHONE}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def _open(browser, page, size, query=""):
    _resize(browser, size)
    browser.get(page.as_uri() + query)
    browser.execute_async_script(TYPESET)


def _requests(browser):
    for entry in browser.get_log("performance"):
        event = json.loads(entry["message"])["message"]
        if event["method"] == "Network.requestWillBeSent":
            yield event["params"]["request"]["url"]


def _place(site, stem):
    return (site / shown(stem)).with_suffix(".html")


def _pages(site):
    others = {"_static", "_downloads"}  # a page of searches is no page of the book
    return [path for path in sorted(site.glob("**/*.html")) if not others & {*path.parts}]


def _opened(site):
    """All pages; of the notebooks that every study has executed, two studies' are enough."""
    alike = {path.name for path in (site / "results/lab/reports").iterdir()}
    alike &= {path.name for path in (site / "results/quick/reports").iterdir()}
    return [p for p in _pages(site) if p.name not in alike or p.parts[-3] in ("quick", "lab")]


def test_every_notebook_has_a_page_and_a_place(site):
    front = (site / "index.html").read_text()
    for path in all_notebooks():
        place = _place(site, path.stem)
        assert place.is_file()
        assert f'href="{place.relative_to(site).as_posix()}"' in front
    for name in book.studies():
        assert f'href="results/{name}/README.html"' in front


def test_the_front_page_says_in_words_what_the_readme_says(site):
    front = (site / "index.html").read_text()
    words = re.findall(r"^- \*\*(.+?)\*\*", resolve("README.md").read_text(), re.MULTILINE)
    assert words[0] == "The whole" and all(f"<strong>{part}</strong>" in front for part in words)
    assert 'href="PROTOCOL.html"' in front and re.search(r"contrasts\d*\.png", front)
    names = (site / "api.html").read_text()  # what packages give by name, with its docstring
    assert all(f'id="mscm_lib.{name}"' in names for name in ("models.MSCMNet", "losses.CenterLoss"))


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


def test_what_was_not_executed_says_so(site):
    for path in all_notebooks():
        said = "It has not been executed here" in _place(site, path.stem).read_text()
        assert said == (shown(path.stem) == f"notebooks/{path.name}"), path.stem


def test_a_copy_of_other_code_says_so(tmp_path):
    copy = tmp_path / "results/quick/reports/90_results.ipynb"
    copy.parent.mkdir(parents=True)
    notebook = nbformat.read(resolve("notebooks/90_results.ipynb"), as_version=4)
    nbformat.write(notebook, copy)
    assert len(book.page(copy).cells) == len(notebook.cells)
    notebook.cells[2].source += "\nx = 1"
    nbformat.write(notebook, copy)
    assert (
        "before its code was changed. `make study STUDY=quick`" in book.page(copy).cells[1].source
    )


def test_pages_are_whole_on_a_desk_and_on_a_telephone(site, browser):
    for page in _opened(site):
        _open(browser, page, DESKTOP)
        for size in (DESKTOP, PHONE):  # opened once: half of the time goes into formulas
            _resize(browser, size)
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
