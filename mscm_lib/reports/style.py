"""One look for every figure of the project: palette, sizes, and how a notebook shows a figure.

Colours come from seaborn's colour-blind-safe palette. A modality or a stream always has the same
one, and a marker or a line style beside it, so that nothing is told by colour alone.
"""

from __future__ import annotations

import io

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from IPython.display import Markdown, display
from matplotlib import rc_context
from matplotlib.figure import Figure

PALETTE: list[str] = sns.color_palette("colorblind").as_hex()
"""Blue, orange, green, vermilion, pink, brown, rose, grey, yellow, sky blue."""

VISIBLE, INFRARED = PALETTE[0], PALETTE[3]
RIGHT, WRONG, EXCLUDED = PALETTE[2], PALETTE[3], "#9a9a9a"
MODALITY_MARKERS = {"visible": "o", "infrared": "^"}
STREAM_NAMES = {"v_g": r"$V_g$", "v_c": r"$V_c$", "i_g": r"$I_g$", "i_c": r"$I_c$"}
STREAM_COLOURS = {"v_g": VISIBLE, "v_c": PALETTE[9], "i_g": INFRARED, "i_c": PALETTE[1]}
STREAM_MARKERS = {"v_g": "o", "v_c": "s", "i_g": "^", "i_c": "v"}

DPI = 120  # of figures in notebooks: sharp on a telephone, small in a file

as_written = rc_context({"text.parse_math": False})
"""For functions that draw people's own words, in which $ begins no formula."""


def use_style() -> None:
    """Set seaborn's theme and matplotlib's defaults for what follows, and show tables' texts whole."""
    pd.set_option("display.max_colwidth", None)
    sns.set_theme(
        context="notebook",
        style="whitegrid",
        palette="colorblind",
        rc={
            "axes.titlesize": 12,
            "axes.labelsize": 11,
            "xtick.labelsize": 10,
            "ytick.labelsize": 10,
            "legend.fontsize": 10,
            "figure.titlesize": 13,
            "axes.titleweight": "normal",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "grid.color": "#e4e4e4",
            "image.cmap": "cividis",
            "image.interpolation": "nearest",
            "figure.dpi": DPI,
            "svg.hashsalt": "mscm",
        },
    )


def show(figure: Figure, text: str) -> None:
    """Show a figure in a notebook, with ``text`` as its alternative text and as the line below it.

    Args:
        figure: closed afterwards, so that it is shown once.
        text: a sentence that says what there is to see, for readers who cannot see it as well.
    """
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=DPI, bbox_inches="tight", metadata={"Software": None})
    plt.close(figure)
    display({"image/png": stream.getvalue()}, metadata={"image/png": {"alt": text}}, raw=True)
    display(Markdown(f"*{text}*"))
