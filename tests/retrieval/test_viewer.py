"""The page of searches: every query told in words, filters that go by the right data, small and safe."""

import re

import numpy as np
import pytest

from mscm_lib.data.generated import GeneratedSettings, render
from mscm_lib.errors import ProtocolError
from mscm_lib.reports import style
from mscm_lib.retrieval import viewer
from mscm_lib.retrieval.gallery import Match
from mscm_lib.retrieval.viewer import Search, listed
from tests.reports.test_frames import Elements

BLANK = np.zeros((32, 16, 3), np.uint8)


def ranked(identities, asked, out=()):
    """A list of matches; those at the places ``out`` are left out by the camera rule."""
    matches, rank = [], 0
    for place, identity in enumerate(identities):
        rank += place not in out
        number = None if place in out else rank
        right = None if asked is None else identity == asked
        matches.append(Match(number, f"cam1/{place}.png", identity, 1, 1 - place / 100, right))
    return matches


def page(searches, ranks=3, image=BLANK, title="Searches"):
    images = [[image] * (1 + len(listed(s.matches, ranks))) for s in searches]
    return viewer.viewer(searches, images, title, "of a test", ranks)


def sections(text):
    return re.findall(r"<section(.*?)>\s*<h2>(.*?)</h2>(.*?)</section>", text, re.DOTALL)


def test_a_row_tells_query_camera_ap_and_rank_of_the_first_hit():
    search = Search("q.png", ranked([5, 7, 5, 7], 7), 3, 7).with_figures()
    assert search.ap == pytest.approx((1 / 2 + 2 / 4) / 2) and search.first == 2
    ((data, head, _),) = sections(page([search]))
    assert head == "q.png, person 7, camera 3, AP 50%, first hit at rank 2"
    assert 'data-camera="3"' in data and 'data-ap="50.0"' in data and 'data-first="wrong"' in data


def test_the_camera_rule_is_followed():
    search = Search("q.png", ranked([7, 7, 5], 7, out=[0]), 3, 7).with_figures()
    assert (search.ap, search.first) == (1, 1)
    ((data, _, body),) = sections(page([search]))
    assert 'data-first="right"' in data
    assert re.findall(r'<li class="([^"]*)">', body) == ["asked", "out again", "right", "wrong"]
    assert "– left out" in body and "✓ rank 1" in body and "✗ rank 2" in body


def test_with_one_hit_a_person_as_many_people_as_ranks_are_there():
    matches = ranked([1, 1, 1, 2, 1, 3, 4], 3)
    drawn = listed(matches, 3)
    assert [match.rank for match in drawn] == [1, 2, 3, 4, 6]  # three ranks, three people
    ((_, _, body),) = sections(page([Search("q", matches, identity=3)]))
    kinds = re.findall(r'<li class="([^"]*)">', body)[1:]
    assert kinds == ["wrong", "wrong again", "wrong again", "wrong far", "right far"]
    assert "✓ person 3" in body  # the rank among people, which SYSU-MM01's CMC counts


def test_what_is_left_out_beyond_the_last_rank_is_not_drawn():
    assert [m.path for m in listed(ranked([1, 2, 3, 4], 1, out=[0, 2, 3]), 1)] == [
        "cam1/0.png", "cam1/1.png",
    ]  # fmt: skip


def test_filters_offer_what_there_is_to_choose():
    known = [Search(f"{c}", ranked([1, 2], 2), c, 2).with_figures() for c in (6, 3)]
    fields = Elements(page(known)).found
    names = {attrs["name"]: tag for tag, attrs in fields if "name" in attrs and tag != "meta"}
    assert names == {"low": "input", "high": "input", "camera": "select", "first": "select",
                     "people": "input"}  # fmt: skip
    cameras = re.search(r'<select name="camera">(.*?)</select>', page(known))[1]
    assert re.findall(r'value="(\d*)"', cameras) == ["", "3", "6"]
    stranger = page([Search("own.png", ranked([1, 2], None))])
    assert 'name="low"' not in stranger and 'name="first"' not in stranger
    ((data, head, _),) = sections(stranger)
    assert (data, head) == ("", "own.png")


def test_nobody_is_said():
    ((_, head, body),) = sections(page([Search("own.png", [])]))
    assert head == "own.png, nobody here" and body.count("<li") == 1


def test_the_page_is_whole_and_names_are_words():
    bad = '<script>alert("x")</script>&'
    search = Search(bad, [m._replace(path=bad) for m in ranked([1, 2], 1)], 3, 1).with_figures()
    text = page([search], title=bad)
    parsed = Elements(text)
    assert not parsed.open and len(parsed.scripts) == 1 and "alert" not in parsed.scripts[0]
    titles = {attrs["title"] for tag, attrs in parsed.found if "title" in attrs}
    assert titles == {bad}
    assert "$" not in text  # nothing of the template is left
    assert not re.search(r"https?:|src=", text)


def test_each_image_is_held_once_and_the_page_stays_small():
    """Forty queries in a gallery of 384 as the studies have it: at most a megabyte."""
    settings = GeneratedSettings()
    people = [render(settings, person, 1, 0, 96, 48) for person in range(1, 25)]
    searches, images = [], []
    for query in range(40):
        order = np.random.default_rng(query).permutation(384)
        matches = [m._replace(path=str(row)) for m, row in zip(
            ranked((order // 4).tolist(), query), order, strict=True)]  # fmt: skip
        searches.append(Search(f"{query}.png", matches, 3, query).with_figures())
        drawn = listed(matches)
        images.append([people[query % 24], *(people[int(m.path) % 24] for m in drawn)])
    text = viewer.viewer(searches, images, "Searches", "of a test")
    unique = {match.path for search in searches for match in listed(search.matches)}
    sheet = viewer.Sheet()
    assert [sheet.place(path, BLANK) for path in ("a", "b", "a")] == [0, 1, 0]
    places = set(re.findall(r"--x:(\d+);--y:(\d+)", text))
    assert len(places) == len(unique) + 40
    assert len(text) < 1_000_000


def test_a_thumbnail_keeps_the_shape_in_whole_blocks():
    sizes = [(32, 16), (384, 192), (50, 50), (10, 100), (1000, 10)]
    heights = [viewer._height(np.zeros((*size, 3), np.uint8)) for size in sizes]
    assert heights == [96, 96, 48, 16, 144]


def test_colours_are_those_of_the_figures():
    wanted = {"right": style.RIGHT, "wrong": style.WRONG, "out": style.EXCLUDED}
    assert wanted | {"plain": style.PALETTE[0]} == viewer._COLOURS


SEEN = """
const form = document.forms[0], seen = {};
const shown = (name) => [...document.querySelectorAll(name)].filter(e => e.checkVisibility()).length;
const after = (name, value) => {
  const field = form.elements[name];
  if (field.type === "checkbox") field.checked = value; else field.value = value;
  field.dispatchEvent(new Event("input", { bubbles: true }));
  return shown("section");
};
seen.all = shown("section");
seen.matches = shown("section:first-child li");
seen.camera = after("camera", "3");
seen.right = after("first", "right");
seen.wrong = after("first", "wrong");
seen.hard = (after("camera", ""), after("first", ""), after("high", 60));
seen.easy = (after("high", 100), after("low", 60));
seen.told = document.querySelector("[role=status]").textContent;
seen.people = (after("low", 0), after("people", true), shown("section:first-child li"));
seen.wide = document.documentElement.scrollWidth - window.innerWidth;
return seen;
"""


def test_filters_show_in_a_browser_what_they_say(browser, tmp_path):
    hard, easy = [2, 2, 2, 3, 1], [1, 2, 3, 2, 1]  # AP of person 1: 1/5, and (1 + 2/5) / 2
    lists = [(hard, 3), (easy, 3), (easy, 6)]
    searches = [Search("q", ranked(ids, 1), cam, 1).with_figures() for ids, cam in lists]
    path = tmp_path / "page.html"
    path.write_text(page(searches))
    metrics = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.get(path.as_uri())
    assert browser.execute_script(SEEN) == {
        "all": 3, "matches": 4, "camera": 2, "right": 1, "wrong": 1, "hard": 1, "easy": 2,
        "told": "2 of 3 searches", "people": 4, "wide": 0,
    }  # fmt: skip
    assert not [e for e in browser.get_log("browser") if e["level"] == "SEVERE"]


def test_images_that_do_not_fit_are_refused():
    with pytest.raises(ProtocolError, match=r"expected \[3\]"):
        viewer.viewer([Search("q", ranked([1, 2], 1))], [[BLANK]], "x", "y")
    with pytest.raises(ProtocolError, match="0 searches"):
        viewer.viewer([], [], "x", "y")
