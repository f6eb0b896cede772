"""Images saved once of real processes: today's memprobe comes to the documents beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cli.running import document
from memprobe.target.inspection.assembly import inspect_image
from memprobe.target.layouts import VERSIONS

IMAGES = sorted(Path(__file__).parent.glob("*.mpimage"))


def expected(image: Path) -> dict[str, Any]:
    text = image.with_suffix(".json").read_text(encoding="utf-8")
    loaded = json.loads(text)
    assert isinstance(loaded, dict)
    return loaded


def without_version(seen: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in seen.items() if name != "memprobe"}


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.stem)
def test_the_document_is_the_one_beside_the_image(image: Path) -> None:
    seen = json.loads(json.dumps(inspect_image(str(image)).to_dict()))
    assert without_version(seen) == without_version(expected(image))


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.stem)
def test_the_document_is_what_the_target_is_known_to_be(image: Path) -> None:
    """So that a wrong document cannot become the expected one unseen."""
    seen = expected(image)
    threads = {thread["name"]: thread for thread in seen["threads"]}
    assert threads.keys() == {"MainThread", "worker-日本"}
    main = [(frame["function"], frame["line"]) for frame in threads["MainThread"]["frames"]]
    assert main == [("recurse", 16)] * 21 + [("<module>", 25)]
    waiting = [frame["function"].rpartition(".")[2] for frame in threads["worker-日本"]["frames"]]
    assert waiting == ["wait", "wait", "wait_in_a_thread", "run", "_bootstrap_inner", "_bootstrap"]
    assert (threads["MainThread"]["daemon"], threads["worker-日本"]["daemon"]) == (False, True)
    assert seen["process"]["gc"]["thresholds"][:2] == [701, 11]
    assert {part["kind"]: part["open"] for part in seen["handles"]}["file"] == 6
    assert seen["target"]["python"].startswith(image.stem.partition("-")[0])
    assert all(check["passed"] for check in seen["python"]["checks"])


def test_every_version_has_an_image() -> None:
    minors = {tuple(map(int, image.stem.partition("-")[0].split("."))) for image in IMAGES}
    assert minors == set(VERSIONS)


def test_the_command_reads_them() -> None:
    assert document("inspect", str(IMAGES[0]))["schema"] == "memprobe.inspect/1"
