"""The HTML report in a real browser: opened, clicked through, looked at; nothing of the target is markup."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from memprobe.views.html import render
from views.browser import Browser, browser
from views.made_up_report import HOSTILE, growth, handles, report
from views.made_up_story import story

ARTEFACTS = os.environ.get("MEMPROBE_ARTEFACTS")
"""Where the pictures are kept; without it they end with the test."""

PARTS = ("summary", "findings", "time", "growth", "heap", "space", "handles", "evidence")
CONTRAST = """(() => {
  const share = (part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  const light = (text) => {
    const [r, g, b] = text.match(/[0-9.]+/g).slice(0, 3).map((part) => share(part / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (one) => {
    for (; one; one = one.parentElement) {
      const colour = getComputedStyle(one).backgroundColor;
      if (!/, 0\\)$|transparent/.test(colour)) return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  const poor = [];
  const texts = 'h1,h2,h3,p,dt,dd,li,a,button,summary,code,b,td,th,figcaption,.severity,.legend span,.dim';
  for (const one of document.querySelectorAll(texts)) {
    if (!one.textContent.trim() || one.closest('.skip')) continue;
    const [low, high] = [light(getComputedStyle(one).color), light(ground(one))].sort();
    const contrast = (Math.max(low, high) + 0.05) / (Math.min(low, high) + 0.05);
    if (contrast < 4.5) poor.push(`${contrast} ${one.tagName}.${one.className} ${one.textContent.trim()}`);
  }
  return poor;
})()"""
WITHOUT_NAME = """[...document.querySelectorAll('button,input,a,canvas,svg,[role=group],[role=region]')]
  .filter((one) => !(one.getAttribute('aria-label') || one.textContent.trim()))
  .map((one) => one.outerHTML.slice(0, 80))"""
TOO_WIDE = """[...document.querySelectorAll('body *')]
  .filter((one) => !one.closest('.scrolls,nav,.blocks,.skip,svg'))
  .filter((one) => one.getBoundingClientRect().right > innerWidth + 1)
  .map((one) => one.outerHTML.slice(0, 80))"""
MIDDLE = """(() => {
  const box = document.querySelector('canvas').getBoundingClientRect();
  return [box.left + box.width / 2, box.top + box.height / 2];
})()"""
CANVAS = "document.querySelector('canvas')"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for all."""
    with browser(tmp_path_factory.mktemp("browser")) as started:
        yield started


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file."""
    path = tmp_path_factory.mktemp("html") / "report.html"
    path.write_bytes(render(story()))
    return path


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Where pictures go."""
    folder = Path(ARTEFACTS) if ARTEFACTS else tmp_path
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def test_no_text_of_the_target_is_markup(written: Path) -> None:
    text = written.read_text()
    assert "<script>alert" not in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    stored = re.search(r'<script type="application/json" id="data">(.*?)</script>', text)
    assert stored is not None
    found = json.loads(stored[1])
    assert found["report"]["findings"][1]["holder"].startswith("<script>alert(1)</script>\\x1b[2J\\u202e")
    assert "src=" not in text.replace("default-src", "")
    assert "http-equiv" in text


def test_it_opens_without_a_complaint_and_asks_for_nothing(page: Browser, written: Path) -> None:
    page.open(written)
    for part in PARTS:
        page.visit(f"#part-{part}")
    page.visit("canvas")
    page.wait("document.querySelector('canvas').dataset.drawn > 100")
    page.wait("document.querySelectorAll('.blocks button').length > 20")
    assert page.complaints == []
    assert page.requests == [written.as_uri()]
    assert page.run("document.scripts.length") == 2
    assert HOSTILE[:25] in page.run("document.body.innerText")
    articles = page.run("[...document.querySelectorAll('article')].map((one) => one.id)")
    assert articles == [one["id"] for one in report()["findings"]]


def test_the_policy_lets_nothing_else_run(page: Browser, written: Path) -> None:
    page.open(written)
    page.run("window.element = document.createElement('script')")
    page.run("window.element.textContent = 'window.ran = 1'; document.body.append(window.element)")
    assert page.run("window.ran") is None
    assert any("Content Security Policy" in one for one in page.complaints)


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("dark", [False, True])
def test_nothing_overflows_and_all_can_be_read(
    page: Browser, written: Path, pictures: Path, width: int, dark: bool
) -> None:
    page.open(written, width=width, dark=dark)
    for part in PARTS:
        page.visit(f"#part-{part}")
    page.visit("canvas")
    page.wait(
        "document.querySelector('.blocks button') && document.querySelector('canvas').dataset.drawn > 0"
    )
    assert page.run("document.documentElement.scrollWidth") <= width
    assert page.run(TOO_WIDE) == []
    assert page.run(CONTRAST) == []
    assert page.run(WITHOUT_NAME) == []
    page.picture(pictures / f"report-{width}-{'dark' if dark else 'light'}.png")


def test_the_theme_is_turned_by_its_button(page: Browser, written: Path) -> None:
    page.open(written, dark=True)
    colour = "getComputedStyle(document.body).backgroundColor"
    dark = page.run(colour)
    page.run("document.getElementById('theme').click()")
    assert page.run(colour) != dark
    assert page.run("document.getElementById('theme').getAttribute('aria-pressed')") == "false"


def test_a_table_is_searched_sorted_and_shows_more(page: Browser, written: Path) -> None:
    page.open(written)
    rows = "document.querySelectorAll('#part-handles tbody tr').length"
    assert page.run(rows) == 12
    page.run("document.querySelector('#part-handles .scrolls + button').click()")
    assert page.run(rows) == 60
    page.run(
        "(() => { const box = document.querySelector('#part-handles input'); box.value = 'SOCKET';"
        "box.dispatchEvent(new Event('input')); })()"
    )
    sockets = [row for row in report()["handles"] if "socket" in json.dumps([row["kind"], row["site"]])]
    assert 0 < page.run(rows) <= len(sockets)
    first = "document.querySelector('#part-growth tbody tr').innerText"
    page.run("document.querySelector('#part-growth th button').click()")
    largest = page.run(first)
    page.run("document.querySelector('#part-growth th button').click()")
    assert page.run(first) != largest
    assert page.run("document.querySelector('#part-growth th').getAttribute('aria-sort')") == "ascending"


def test_a_flame_graph_zooms_by_the_keyboard(page: Browser, written: Path) -> None:
    page.open(written)
    page.visit("#part-growth .blocks")
    page.wait("document.querySelectorAll('#part-growth .blocks button').length > 5")
    blocks = "document.querySelectorAll('#part-growth .blocks')[0]"
    narrow = f"[...{blocks}.children].at(-1)"
    before = page.run(f"{narrow}.getBoundingClientRect().width")
    page.run(f"{narrow}.focus()")
    name = page.run("document.activeElement.getAttribute('aria-label')")
    assert re.search(r": [\d.]+ (k|M)?B, [\d.]+ %", name)
    page.run("document.activeElement.click()")
    assert page.run("document.activeElement.getAttribute('aria-label')") == name
    assert page.run("document.activeElement.getBoundingClientRect().width") > before
    page.run("document.querySelector('#part-growth figure .bar button').click()")
    assert page.run(f"{narrow}.getBoundingClientRect().width") == before


def test_the_address_space_turns_and_zooms(page: Browser, written: Path) -> None:
    page.open(written)
    page.visit("canvas")
    page.wait("document.querySelector('canvas').dataset.drawn > 100")
    yaw, pitch, zoom = (f"Number({CANVAS}.dataset.{name})" for name in ("yaw", "pitch", "zoom"))
    before = page.run(yaw), page.run(pitch), page.run(zoom)
    box = page.run(MIDDLE)
    page.run(f"window.picture = {CANVAS}.toDataURL(), 0")
    page.drag((box[0], box[1]), (box[0] + 90, box[1] + 30))
    page.wait(f"{yaw} !== {before[0]} && {pitch} !== {before[1]}")
    page.wait(f"{CANVAS}.toDataURL() !== window.picture")
    page.run("document.querySelector('canvas').focus()")
    page.press("+")
    page.wait(f"{zoom} > {before[2]}")
    turned = page.run(yaw)
    page.press("ArrowLeft")
    page.wait(f"{yaw} < {turned}")
    page.call("Input.dispatchMouseEvent", type="mouseWheel", x=box[0], y=box[1], deltaX=0, deltaY=300)
    page.wait(f"{zoom} < {before[2]}")


def test_the_page_is_printed_whole(page: Browser, written: Path) -> None:
    page.open(written)
    page.call("Emulation.setEmulatedMedia", media="print")
    assert page.run("getComputedStyle(document.querySelector('header')).display") == "none"
    assert page.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.call("Emulation.setEmulatedMedia", media="")


def test_the_file_of_a_long_run_stays_small(page: Browser, tmp_path: Path) -> None:
    deep = [
        {"function": f"function_{n}", "file": f"/srv/app/module_{n % 7}.py", "line": n} for n in range(100)
    ]
    changes = {
        "growth": [growth(n) | {"site": [*deep[n % 50 :], *deep[:n]]} for n in range(200)],
        "handles": [handles(n) | {"site": deep[n % 90 :]} for n in range(3000)],
    }
    data = render(story(steps=700, step_s=123.4, regions=1024, **changes))  # a day
    assert len(data) < 5_000_000
    path = tmp_path / "day.html"
    path.write_bytes(data)
    page.open(path)
    assert page.complaints == []
    page.visit("canvas")
    page.wait("document.querySelector('canvas').dataset.drawn > 1000")
    print(f"{len(data):,} bytes, interactive after {page.run('document.documentElement.dataset.readyMs')} ms")


def test_an_empty_run_has_a_page(page: Browser, tmp_path: Path) -> None:
    path = tmp_path / "empty.html"
    nobody = dict.fromkeys(report()["target"])  # of a damaged recording
    path.write_bytes(render(story(steps=0, findings=[], handles=[], growth=[], target=nobody)))
    page.open(path)
    assert page.complaints == []
    assert "no leak found" in page.run("document.body.innerText")


def test_sampled_keys_are_there_only_if_the_run_was_asked_for_them_and_said_first(
    page: Browser, written: Path, tmp_path: Path
) -> None:
    path = tmp_path / "confidential.html"
    path.write_bytes(render(story(keys=[{"holder": HOSTILE, "keys": ["'token-1'", HOSTILE]}])))
    page.open(path, width=360)
    page.visit("#part-keys")
    text = page.run("document.getElementById('content').innerText")
    assert text.startswith("CONFIDENTIAL")
    assert "'token-1'" in text
    assert page.run(TOO_WIDE) == page.run(CONTRAST) == page.run(WITHOUT_NAME) == page.complaints == []
    page.open(written)
    assert "CONFIDENTIAL" not in page.run("document.getElementById('content').innerText")
    assert page.run("document.getElementById('part-keys')") is None
