"""Pictures one after another under a slider: a piece of HTML that needs nothing beside it.

Where no script runs (a code host, a notebook that is not trusted) the first picture stands alone, so a
still figure that tells the same belongs beside it.
"""

from __future__ import annotations

import base64
import hashlib
import html
import io
import json
from collections.abc import Sequence

import matplotlib.pyplot as plt
from IPython.display import HTML
from matplotlib.figure import Figure
from PIL import Image

from mscm_lib.errors import ProtocolError
from mscm_lib.reports.style import DPI

_KIND = "data:image/webp;base64,"
_PIECE = """\
<figure id="{name}" style="margin: 0; max-width: {width}px">
<img width="{width}" height="{height}" src="{first}" alt="{title}: {label}" style="display: block; \
max-width: 100%; height: auto; background: white">
<figcaption hidden>
<div style="display: flex; flex-wrap: wrap; gap: .5em; align-items: center">
<button type="button" style="min-width: 4em">Play</button>
<input type="range" min="0" max="{last}" value="0" aria-label="{title}" \
style="flex: 1 1 8em; min-width: 0">
<output style="flex: 1 1 100%; font-variant-numeric: tabular-nums">{label}</output>
</div>
</figcaption>
</figure>
<script>
(() => {{
  const frames = {frames}, labels = {labels}, title = {said};
  const piece = document.getElementById("{name}"), [picture, controls] = piece.children;
  const [button, range, told] = controls.firstElementChild.children;
  let timer = 0;
  const show = () => {{
    picture.src = "{kind}" + frames[range.value];
    picture.alt = title + ": " + labels[range.value];
    told.value = labels[range.value];
    range.setAttribute("aria-valuetext", labels[range.value]);
  }};
  const stop = () => {{ clearInterval(timer); timer = 0; button.textContent = "Play"; }};
  const step = () => {{
    if (+range.value < {last}) {{ range.value = +range.value + 1; show(); }} else stop();
  }};
  button.onclick = () => {{
    if (timer) return stop();
    if (+range.value === {last}) range.value = 0;
    show();
    timer = setInterval(step, {pause});
    button.textContent = "Stop";
  }};
  range.oninput = () => {{ stop(); show(); }};
  controls.hidden = false;
  show();
}})();
</script>
"""


def frame(figure: Figure) -> bytes:
    """A figure as a small picture for `slider` (WebP), closed afterwards.

    The whole canvas is taken, so that figures of one size give frames of one size.
    """
    stream = io.BytesIO()
    figure.savefig(stream, format="webp", dpi=DPI, pil_kwargs={"quality": 60, "method": 6})
    plt.close(figure)
    return stream.getvalue()


def slider(
    frames: Sequence[bytes], labels: Sequence[str], title: str, milliseconds: int = 200
) -> HTML:
    """The frames under a slider that a mouse, a finger or the arrow keys move, and a Play button.

    Args:
        frames: WebP pictures of one size, as `frame` makes them.
        labels: what each shows, read out and written below it; ``title`` is of the whole.
        milliseconds: from frame to frame when played.

    Raises:
        ProtocolError: there are no frames, not a label for each, or not all of one size.
    """
    if not frames or len(frames) != len(labels):
        raise ProtocolError(f"{len(frames)} frames and {len(labels)} labels: expected one for each")
    sizes = {Image.open(io.BytesIO(each)).size for each in frames}
    if len(sizes) > 1:
        raise ProtocolError(f"frames of {len(sizes)} sizes: draw figures of one size")
    ((width, height),) = sizes
    encoded = [base64.b64encode(each).decode() for each in frames]
    digest = hashlib.sha256("".join([title, *labels, *encoded]).encode()).hexdigest()
    words = {"title": html.escape(title), "label": html.escape(labels[0])}
    held = {"frames": json.dumps(encoded), "labels": _script([*labels]), "said": _script(title)}
    size = {"width": width, "height": height, "last": len(frames) - 1, "pause": milliseconds}
    place = {"name": f"frames-{digest[:12]}", "kind": _KIND, "first": _KIND + encoded[0]}
    return HTML(_PIECE.format(**words, **held, **size, **place))


def _script(value: object) -> str:
    """JSON that may stand within a script element."""
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")
