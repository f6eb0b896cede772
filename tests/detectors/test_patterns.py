"""Files of patterns: what they may say, what is told of a mistake, and which finding is which known leak."""

from __future__ import annotations

import pwd
import re
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet

from memprobe.detectors.patterns import BadPattern, Facts, Pattern, known, parsed, users_folder, written
from memprobe.detectors.patterns import library as all_patterns
from memprobe.detectors.patterns.library import built_in
from memprobe.detectors.patterns.making import pattern_of
from memprobe.detectors.patterns.matching import fits, module
from memprobe.detectors.patterns.versions import BadVersion, clauses, is_within, key
from memprobe.errors import UsageError
from memprobe.vocab.finding import Finding, Kind, Severity
from memprobe.vocab.stack import Frame

ONE = """\
[[pattern]]
id = "shop-orders"
title = "orders stay in the shop"
package = "shop-orders"
versions = [">=1.2, <1.4", ">=2.0, <2.1"]
fixed = "1.4"
advice = "Upgrade."
source = "https://example.org/1"

[[pattern.match]]
kind = ["caches"]
holder = ["*Shop.orders[...]"]

[[pattern.match]]
site = ["shop.store:Store.*"]
"""
STORE = Frame("Store.load", "/srv/venv/lib/python3.11/site-packages/shop/store.py", 12)


def found(**changes: object) -> Finding:
    fields: dict[str, object] = {
        "id": "caches-1",
        "kind": Kind.CACHES,
        "title": "",
        "confidence": 0.9,
        "severity": Severity.INFO,
        "type": "app.Order",
        "holder": "app.SHOP.orders",
        "site": (),
        "detected_after_s": 9.0,
    }
    nothing = dict.fromkeys(("count", "added", "count_per_s", "bytes", "bytes_per_s"))
    return Finding(**{**nothing, **fields, **changes})  # type: ignore[arg-type]


def of(text: str, finding: Finding, **packages: str) -> str | None:
    versions = {name.replace("_", "-"): version for name, version in packages.items()}
    told = known(finding, Facts("3.11.7", versions), parsed(text))
    return None if told is None else told.pattern


def test_a_holder_or_a_line_is_enough() -> None:
    held = found(holder="app.Shop.orders[3]")
    assert of(ONE, held, shop_orders="1.3.1") == "shop-orders"
    assert of(ONE, found(holder="app.Shop.orders[…]"), shop_orders="2.0") == "shop-orders"
    assert of(ONE, found(holder="app.Shop.orders"), shop_orders="1.3") is None
    made = found(kind=Kind.NATIVE, holder="", site=(Frame("main", "/srv/app.py", 1), STORE))
    assert of(ONE, made, shop_orders="1.3") == "shop-orders"


def test_before_3_11_a_frame_has_the_last_part_of_its_name_only() -> None:
    plain = Frame("load", STORE.file, 12)
    text = ONE.replace("Store.*", "Store.load")
    assert of(text, found(holder="", site=(plain,)), shop_orders="1.3") == "shop-orders"
    assert of(text, found(holder="", site=(Frame("save", STORE.file, 1),)), shop_orders="1.3") is None


def test_what_was_left_out_of_a_stack_counts_too() -> None:
    popen = Frame("Popen._get_handles", "/usr/lib/python3.11/subprocess.py", 1)
    text = ONE.replace("shop.store:Store.*", "subprocess:Popen.*")
    assert of(text, found(holder="", below=(popen,)), shop_orders="1.3") == "shop-orders"


@pytest.mark.parametrize("version", ["1.1", "1.4", "1.4.0", "1.9", "2.1", "2.1.post1", "3"])
def test_another_release_has_it_not(version: str) -> None:
    assert of(ONE, found(holder="app.Shop.orders[1]"), shop_orders=version) is None


def test_what_is_not_loaded_is_not_to_blame_and_an_unknown_version_may_be() -> None:
    held = found(holder="app.Shop.orders[1]")
    assert of(ONE, held) is None
    assert of(ONE, held, shop_orders="") == "shop-orders"
    told = known(held, Facts("", {"shop-orders": ""}), parsed(ONE))
    assert told is not None
    assert told.version is None


def test_the_version_of_cpython_is_that_of_the_interpreter() -> None:
    text = ONE.replace('package = "shop-orders"', 'package = "cpython"').replace(">=1.2, <1.4", "<3.11.8")
    held = found(holder="app.Shop.orders[1]")
    assert known(held, Facts("3.11.7"), parsed(text)) is not None
    assert known(held, Facts("3.11.8"), parsed(text)) is None


def test_who_says_more_is_believed_and_the_user_first() -> None:
    wide = ONE.replace("*Shop.orders[...]", "*orders*").replace('id = "shop-', 'id = "wide-')
    held = found(holder="app.Shop.orders[1]")
    facts = Facts("", {"shop-orders": "1.3"})
    told = known(held, facts, (*parsed(wide), *parsed(ONE)))
    assert told is not None
    assert told.pattern == "shop-orders"
    told = known(held, facts, (*parsed(wide, is_users=True), *parsed(ONE)))
    assert told is not None
    assert told.pattern == "wide-orders"


@pytest.mark.parametrize(
    ("change", "line", "words"),
    [
        (('id = "shop-orders"', 'id = "Shop orders"'), 2, "id: 'Shop orders'"),
        (('title = "orders stay in the shop"\n', ""), 1, "the pattern has no title"),
        (('advice = "Upgrade."', "advice = 3"), 7, "advice: it must be a text"),
        (('advice = "Upgrade."', r'advice = "\u001b[31m"'), 7, "advice: it must be a text"),
        (("https://", "http://"), 8, "source: it must be an address"),
        (('"1.4"', '"soon"'), 6, "fixed: 'soon' is no version"),
        (("<1.4", "bis 1.4"), 5, "versions: 'bis 1.4' is no range"),
        (('package = "shop-orders"\n', ""), 1, "say nothing without package"),
        (('package = "shop-orders"', 'package = "Shop_Orders"'), 4, "package: write its name"),
        (('kind = ["caches"]', 'kind = ["cache"]'), 11, "match.kind: 'cache' is none; did you mean caches?"),
        (("holder =", "holders ="), 12, "match.holders: there is no such key; did you mean holder?"),
        (('["*Shop.orders[...]"]', '"*"'), 12, "match.holder: '*' says nothing"),
        (('["*Shop.orders[...]"]', '"********** x"'), 12, "more than 8 *"),
        (("shop.store:Store.*", "shop.store"), 15, "match.site: 'shop.store' must be module:function"),
        (("[[pattern.match]]\nsite", "[[pattern.matches]]\nsite"), 14, "matches: there is no such key"),
        (("title =", "title"), 3, "no TOML"),
        (('id = "shop-orders"', 'id = ["shop-orders"]'), 2, "id: it must be a text"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_its_key(change: tuple[str, str], line: int, words: str) -> None:
    with pytest.raises(BadPattern) as told:
        parsed(ONE.replace(*change))
    assert told.value.line == line
    assert words in str(told.value)


def test_the_line_is_that_of_the_right_pattern() -> None:
    with pytest.raises(BadPattern) as told:
        parsed(ONE + "\n" + ONE.replace('kind = ["caches"]', "kind = 1"))
    assert told.value.line == ONE.count("\n") + 1 + 11


@given(st.text(alphabet='[]="*.:,\n apternmchidls0123<>', max_size=120), st.integers(0, len(ONE)))
@settings(max_examples=200)
def test_a_broken_file_is_told_and_nothing_worse(noise: str, place: int) -> None:
    text = ONE[:place] + noise + ONE[place + len(noise) // 2 :]
    with suppress(BadPattern):
        assert parsed(text) is not None
        return
    with pytest.raises(BadPattern) as told:
        parsed(text)
    assert 1 <= told.value.line <= text.count("\n") + 1


def test_a_pattern_that_is_written_is_read_as_it_was() -> None:
    assert parsed("\n".join(map(written, built_in()))) == built_in()


@pytest.mark.parametrize(
    ("glob", "text", "expected"),
    [
        ("app.*", "app.cache", True),
        ("app.*", "apps.cache", False),
        ("*.orders", "shop.orders", True),
        ("a*b*c", "a b c", True),
        ("a*b*c", "acb", False),
        ("ab*ba", "aba", False),
        ("*", "", True),
        ("x[]", "x[]", True),
    ],
)
def test_a_star_stands_for_anything(glob: str, text: str, expected: bool) -> None:
    assert fits(glob, text) is expected


def test_versions_are_in_the_order_of_releases() -> None:
    ordered = [
        "1.0.dev1",
        "1.0a1",
        "1.0b2",
        "1.0rc1",
        "1.0",
        "1.0.post1",
        "1.0.1",
        "1.10",
        "2022.5.0",
        "1!0.1",
    ]
    assert sorted(ordered, key=key) == ordered
    assert key("1.0") == key("1.0.0") == key("v1")
    assert key("1.0+local") == key("1.0")
    assert key("1.0-1") == key("1.0.post1") == key("1.0.r1") > key("1.0")
    assert not any(is_within(odd, ">=0") for odd in ("nonsense", "1.0prev\u0131ew1", "\u0661.0"))
    with pytest.raises(BadVersion):
        key("")


@pytest.mark.parametrize(
    ("wanted", "inside", "outside"),
    [
        ("<2.0", "1.9 1.9.post1 1.10rc1", "2.0.dev1 2.0a1 2.0rc1 2.0rc1.post2 2.0 2.0.post1"),
        ("<2.0rc2", "1.9 2.0.dev1 2.0a1 2.0rc1 2.0rc1.post2 2.0rc2.dev1", "2.0rc2 2.0"),
        ("<2.0.post1", "2.0rc1 2.0", "2.0.post1.dev1 2.0.post1"),
        ("<=2.0", "2.0rc1 2.0 2.0+local", "2.0.post1"),
        (">2.0", "2.0.1.dev1 2.1rc1 2.1", "2.0rc1 2.0 2.0+local 2.0.post1"),
        (">2.0.post1", "2.0.post2 2.0.1", "2.0 2.0.post1"),
        (">2.0rc1", "2.0rc2 2.0 2.0.post1", "2.0rc1 2.0rc1.post1"),
        (">=1.4, <2.0", "1.4 1.9", "1.4rc1 2.0rc1"),
        (
            "==1.4.*",
            "1.4.dev1 1.4rc1 1.4 1.4.0.1 1.4.9 1.4.post1 1.4+local",
            "1.3.9 1.40 1.5 1 1!1.4 nonsense",
        ),
        ("==1.0.*", "1 1.0.3", "1.1 2"),
        ("!=1.4.*", "1.3 1.5 1!1.4", "1.4.dev1 1.4 1.4.7"),
        ("~=1.4", "1.4 1.4.post1 1.9 1.10rc1", "1.4rc1 1.3 2.0.dev1 2.0 1!1.4"),
        ("~=1.4.2", "1.4.2 1.4.10", "1.4.1 1.5 1.5rc1"),
        ("~=2.2.post3", "2.2.post3 2.3", "2.2 2.2.post2 3.0"),
        ("~=1.4, !=1.7.*", "1.6 1.8", "1.7 1.7.1"),
    ],
)
def test_a_pre_release_is_in_no_range_below_its_release(wanted: str, inside: str, outside: str) -> None:
    """What PEP 440 says of "exclusive ordered comparison"."""
    versions = [*inside.split(), *outside.split()]
    assert [one for one in versions if is_within(one, wanted)] == inside.split()


NUMBERS = st.lists(st.integers(0, 3), min_size=1, max_size=4).map(lambda ones: ".".join(map(str, ones)))
RELEASES = st.tuples(st.sampled_from(["", "", "1!"]), NUMBERS).map("".join)
VERSIONS = st.tuples(
    RELEASES,
    st.sampled_from(["", "", "a1", "b2", "rc1", "rc2"]),
    st.sampled_from(["", "", ".post1", ".post2"]),
    st.sampled_from(["", "", ".dev1", ".dev2"]),
).map("".join)
RANGES = st.one_of(
    st.tuples(st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), VERSIONS).map("".join),
    st.tuples(st.sampled_from(["==", "!="]), RELEASES, st.just(".*")).map("".join),
    VERSIONS.filter(lambda text: "." in re.split("[a-z]", text)[0].rstrip(".")).map("~={}".format),
)


@given(version=VERSIONS, wanted=st.lists(RANGES, min_size=1, max_size=2).map(", ".join))
def test_ranges_are_as_pip_reads_them(version: str, wanted: str) -> None:
    expected = SpecifierSet(wanted).contains(version, prereleases=True)
    assert is_within(version, wanted) is expected


@pytest.mark.parametrize(
    "wanted", ["~=1", "~=1.4.*", "<1.4.*", "==1.4rc1.*", "==1.4+here.*", "==*", "===1.4"]
)
def test_what_is_no_range_is_said(wanted: str) -> None:
    with pytest.raises(BadVersion, match="is no "):
        clauses(wanted)


def test_a_module_is_what_a_file_is_imported_as() -> None:
    assert module(STORE.file) == "shop.store"
    assert module("/usr/lib/python3/dist-packages/shop/__init__.py") == "shop"
    assert module("/opt/lib/python3.12/asyncio/base_events.py") == "asyncio.base_events"
    assert module("/srv/app/main.py") == "main"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder of patterns."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    users_folder().mkdir(parents=True)
    all_patterns.cache_clear()
    return users_folder()


def test_who_has_no_home_has_no_patterns_there(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", {}.__getitem__)
    assert all_patterns().patterns == built_in()
    with pytest.raises(UsageError, match="has no home"):
        users_folder()


def test_the_users_own_patterns_come_first_and_a_broken_file_costs_itself_only(config: Path) -> None:
    (config / "mine.toml").write_text(ONE)
    (config / "broken.toml").write_text(ONE.replace("holder =", "holders ="))
    (config / "binary.toml").write_bytes(b"\xff\xfe")
    (config / "folder.toml").mkdir()
    try:
        library = all_patterns()
        assert [one.id for one in library.patterns if one.is_users] == ["shop-orders"]
        assert len(library.patterns) == len(built_in()) + 1
        remarks = [one for one in library.remarks if "broken.toml:12: match.holders" in one]
        assert len(remarks) == 1
        assert len(library.remarks) == 3
    finally:
        all_patterns.cache_clear()


@pytest.mark.parametrize("text", ["", "x" * 5000, "\x1b[31m", "a*b", "app.Shop.orders[1].x[...]"])
def test_what_a_finding_is_made_into_finds_it_again(text: str) -> None:
    rows = [{"function": text or "f", "file": "/srv/app/shop.py", "line": 3}]
    row = {"id": "caches-12ab", "kind": "caches", "type": text, "holder": text, "site": rows}
    row |= {"suggested_fix": "Limit it."}
    pattern = pattern_of(row)
    made = parsed(written(pattern))
    finding = found(type=text, holder=text, site=(Frame(text or "f", "/srv/app/shop.py", 3),))
    if text.isprintable() and len(text) < 600:
        assert known(finding, Facts(), made) is not None
    assert known(found(type="other", holder="other"), Facts(), made) is None


def test_every_built_in_pattern_has_a_source_and_a_name_of_its_own() -> None:
    patterns: tuple[Pattern, ...] = built_in()
    assert len({one.id for one in patterns}) == len(patterns) >= 40
    assert all(one.source.startswith("https://") for one in patterns)
    for one in patterns:
        if one.fixed:
            assert not any(is_within(one.fixed, text) for text in one.versions), one.id
