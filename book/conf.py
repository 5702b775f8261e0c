"""Sphinx's settings for the book. `mscm book` calls Sphinx; it is not called by hand.

The site loads nothing from any network and needs no server: formulas are typeset by a copy of
MathJax, the theme and the search come from the folder itself, and opening
index.html from disk is enough.
"""

project = "MSCMNet, made again"
html_title = project
language = "en"
extensions = ["myst_nb", "sphinx_design", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
add_module_names = False
autodoc_typehints_format = "short"
autodoc_member_order = "groupwise"
napoleon_use_ivar = True  # a dataclass's attributes are told once
exclude_patterns = ["**/.ipynb_checkpoints"]

nb_execution_mode = "off"  # the copies that come here are executed
nb_ipywidgets_js = {}  # nothing from a network
nb_merge_streams = True
nb_render_markdown_format = "myst"  # links in what code writes lead to pages, as in prose
nb_number_source_lines = False
myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence"]
myst_heading_anchors = 4
myst_heading_slug_func = "mscm_lib.reports.guide.anchor"

html_theme = "sphinx_book_theme"
html_static_path = ["_static"]
html_css_files = ["book.css"]
html_js_files = ["book.js"]
html_show_search_summary = False  # summaries fetch pages, which browsers forbid on file://
html_show_copyright = False
html_theme_options = {
    "show_navbar_depth": 1,
    "show_toc_level": 2,
    "use_fullscreen_button": False,
    "use_download_button": True,
    "home_page_in_toc": True,
    "footer_content_items": [],
}
html_context = {"default_mode": "auto"}  # light or dark, as the reader's system has it

# MathJax from the installed package, copied into the site with its fonts.
# Formulas in a notebook's prose and in its tables are typeset, code is not.
mathjax_path = "mathjax/MathJax.js"
mathjax2_config = {
    "config": ["TeX-AMS-MML_HTMLorMML-full.js"],
    "jax": ["input/TeX", "output/HTML-CSS"],
    "tex2jax": {
        "inlineMath": [["\\(", "\\)"], ["$", "$"]],
        "ignoreClass": "tex2jax_ignore|mathjax_ignore",
        "processClass": "tex2jax_process|mathjax_process|math|text_html",
    },
    "HTML-CSS": {
        "availableFonts": [],
        "preferredFont": None,
        "webFont": "STIX-Web",
        "scale": 95,
        # its empty font is about:blank otherwise, which browsers report as an error
        "styles": {"@font-face": {"font-family": "MathJax_Blank", "src": "local('none')"}},
    },
    "messageStyle": "none",
    "showMathMenu": False,
}
myst_update_mathjax = False


def setup(app):
    """MathJax on every page: tables that code writes hold formulas too."""
    app.set_html_assets_policy("always")
