"""A slider is one piece of HTML: whole in itself, still without its script, safe with any words."""

import base64
import io
import json
import re
from html.parser import HTMLParser

import matplotlib.pyplot as plt
import pytest
from PIL import Image

from mscm_lib.errors import ProtocolError
from mscm_lib.reports.frames import frame, slider


class Elements(HTMLParser):
    """Names with attributes, and what each script holds."""

    def __init__(self, text):
        super().__init__()
        self.found, self.scripts, self.open = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in ("img", "input", "meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] == ["script"]:
            self.scripts.append(data)

    def one(self, tag):
        (attributes,) = [attrs for name, attrs in self.found if name == tag]
        return attributes


@pytest.fixture(scope="module")
def frames():
    def draw(height):
        figure, axis = plt.subplots(figsize=(2, 1))
        axis.plot([0, height])
        return frame(figure)

    open_before = plt.get_fignums()
    found = [draw(height) for height in (1, 2, 3)]
    assert plt.get_fignums() == open_before
    return found


def test_a_frame_is_a_small_picture_of_the_whole_canvas(frames):
    picture = Image.open(io.BytesIO(frames[0]))
    assert picture.format == "WEBP" and picture.size == (240, 120)
    assert len(frames[0]) < 8000


def test_all_frames_and_labels_are_there_and_nothing_is_fetched(frames):
    text = slider(frames, ["one", "two", "three"], "A line").data
    page = Elements(text)
    assert not page.open
    held = re.search(r"frames = (\[.*?\]), labels = (\[.*?\]), title", page.scripts[0])
    assert [base64.b64decode(each) for each in json.loads(held[1])] == frames
    assert json.loads(held[2]) == ["one", "two", "three"]
    assert not re.search(r"https?:|src=\"(?!data:)|import|fetch", text)
    assert slider(frames, ["one", "two", "three"], "A line").data == text


def test_without_a_script_the_first_picture_stands_alone(frames):
    page = Elements(slider(frames, ["one", "two", "three"], "A line").data)
    picture = page.one("img")
    assert picture["alt"] == "A line: one" and picture["width"] == "240"
    assert base64.b64decode(picture["src"].partition(",")[2]) == frames[0]
    assert "hidden" in page.one("figcaption")  # a slider that does nothing is not shown


def test_the_slider_has_a_name_and_as_many_steps_as_frames(frames):
    page = Elements(slider(frames, ["one", "two", "three"], "A line").data)
    assert page.one("input")["max"] == "2" and page.one("input")["aria-label"] == "A line"
    assert page.one("button")["type"] == "button"


def test_words_are_words(frames):
    bad = '</script><b>"&'
    page = Elements(slider(frames, [bad, "two", "three"], bad).data)
    assert not page.open and len(page.scripts) == 1 and "b" not in dict(page.found)
    assert page.one("img")["alt"] == f"{bad}: {bad}"
    assert json.loads(re.search(r"labels = (\[.*?\]), title", page.scripts[0])[1])[0] == bad


def test_two_sliders_on_a_page_have_names_of_their_own(frames):
    ids = [Elements(slider(frames, list("abc"), t).data).one("figure")["id"] for t in ("x", "y")]
    assert len(set(ids)) == 2


def test_frames_that_do_not_fit_together_are_refused(frames):
    figure = plt.figure(figsize=(1, 1))
    with pytest.raises(ProtocolError, match="2 sizes"):
        slider([frames[0], frame(figure)], ["a", "b"], "x")
    for few, labels in (([], []), (frames, ["one"])):
        with pytest.raises(ProtocolError, match="one for each"):
            slider(few, labels, "x")


PLAYED = """
const [button, range] = document.querySelectorAll("button, input"), done = arguments[0];
const now = () => [document.querySelector("img").alt, document.querySelector("output").value,
                   button.textContent];
const seen = [now()];
range.value = 1;
range.dispatchEvent(new Event("input"));
seen.push(now());
button.click();
setTimeout(() => done([...seen, now(), document.documentElement.scrollWidth - innerWidth]), 500);
"""


def test_a_browser_moves_it_and_plays_it_to_its_end(frames, browser, tmp_path):
    path = tmp_path / "page.html"
    head = '<!DOCTYPE html><meta name="viewport" content="width=device-width">'
    path.write_text(head + slider(frames, ["one", "two", "three"], "A line", 20).data)
    metrics = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.get(path.as_uri())
    assert browser.execute_async_script(PLAYED) == [
        ["A line: one", "one", "Play"],
        ["A line: two", "two", "Play"],
        ["A line: three", "three", "Play"],
        0,
    ]
