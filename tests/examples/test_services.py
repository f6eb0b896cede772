"""The services of examples/: they do what they say, and what leaks is found (all kinds: make soak)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import memprobe
from cli.unprivileged import needs_root
from examples.serving import NAMES, SERVICES, Service, is_named, load, serving
from memprobe.api import Report
from patience import until

KINDS = ("handles", "caches")


@pytest.fixture(scope="module", params=SERVICES)
def service(request: pytest.FixtureRequest) -> Iterator[Service]:
    with serving(request.param) as found:
        yield found


def test_it_answers(service: Service) -> None:
    assert service.ask("GET", "/items/12")[0] == 200
    assert service.ask("POST", "/leaks/nonsense/1")[0] == 404
    assert service.ask("POST", "/leaks/caches/1001")[0] == 404


@pytest.mark.parametrize("kind", NAMES)
def test_it_leaks_when_it_is_asked_to(service: Service, kind: str) -> None:
    assert service.ask("POST", f"/leaks/{kind}/2") == (200, {"kind": kind, "leaked": 2})


def missing(report: Report) -> list[str]:
    plain = report.to_dict()["findings"]
    sure = [one for one in plain if one["confidence"] >= 0.5]
    return [kind for kind in KINDS if not any(is_named(one, kind) for one in sure)]


@needs_root
def test_leaks_under_load_are_found_and_named(bpf: None) -> None:
    with (
        serving("fastapi_service") as service,
        load(service, *KINDS),
        memprobe.attach(service.pid, preset="aggressive", settings={"run.learn": False}) as watch,
    ):
        until(lambda: not missing(watch.report()), pause_s=1)
    assert missing(watch.report()) == []
