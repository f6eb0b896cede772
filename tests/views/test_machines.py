"""What other programs get: read by readers of others, held to the schemas that they publish."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jsonschema
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from prometheus_client.openmetrics import parser

from memprobe.views.machines import collapsed, json_lines, openmetrics, pprof, sarif, speedscope
from memprobe.vocab.finding import Kind
from views.made_up_report import HOSTILE, report

SCHEMAS = Path(__file__).parent / "schemas"
EMPTY: dict[str, Any] = {"findings": [], "handles": [], "growth": []}

INT, UINT, STRING, MESSAGE = 3, 4, 9, 11
PROFILE: dict[str, list[tuple[str, int, int, str, bool]]] = {
    "ValueType": [("type", 1, INT, "", False), ("unit", 2, INT, "", False)],
    "Label": [("key", 1, INT, "", False), ("str", 2, INT, "", False)],
    "Sample": [
        ("location_id", 1, UINT, "", True),
        ("value", 2, INT, "", True),
        ("label", 3, MESSAGE, "Label", True),
    ],
    "Line": [("function_id", 1, UINT, "", False), ("line", 2, INT, "", False)],
    "Location": [("id", 1, UINT, "", False), ("line", 4, MESSAGE, "Line", True)],
    "Function": [
        ("id", 1, UINT, "", False),
        ("name", 2, INT, "", False),
        ("system_name", 3, INT, "", False),
        ("filename", 4, INT, "", False),
    ],
    "Profile": [
        ("sample_type", 1, MESSAGE, "ValueType", True),
        ("sample", 2, MESSAGE, "Sample", True),
        ("location", 4, MESSAGE, "Location", True),
        ("function", 5, MESSAGE, "Function", True),
        ("string_table", 6, STRING, "", True),
        ("time_nanos", 9, INT, "", False),
        ("duration_nanos", 10, INT, "", False),
        ("comment", 13, INT, "", True),
        ("default_sample_type", 14, INT, "", False),
    ],
}
"""The fields of the public profile.proto: name, number, type, type of message, whether repeated."""


def parsed_profile(data: bytes) -> Any:
    """A profile as protobuf's own decoder reads it; a field that it does not know is a failure."""
    file = descriptor_pb2.FileDescriptorProto(name="profile.proto", package="p", syntax="proto3")
    for name, fields in PROFILE.items():
        message = file.message_type.add(name=name)
        for field, number, kind, of, repeated in fields:
            added = message.field.add(name=field, number=number, type=kind, label=3 if repeated else 1)
            if of:
                added.type_name = f".p.{of}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    profile = message_factory.GetMessageClass(pool.FindMessageTypeByName("p.Profile"))()
    profile.ParseFromString(gzip.decompress(data))
    known = profile.SerializeToString(deterministic=True)
    profile.DiscardUnknownFields()
    assert profile.SerializeToString(deterministic=True) == known
    return profile


def stacks(profile: Any) -> Counter[tuple[Any, ...]]:
    """The samples with their names instead of numbers."""
    text = profile.string_table
    functions = {one.id: (text[one.name], text[one.filename]) for one in profile.function}
    places = {one.id: (*functions[one.line[0].function_id], one.line[0].line) for one in profile.location}
    return Counter(
        (
            tuple(places[number] for number in one.location_id),
            tuple(one.value),
            tuple((text[label.key], text[label.str]) for label in one.label),
        )
        for one in profile.sample
    )


def test_pprof_is_read_by_protobuf_itself() -> None:
    document = report()
    profile = parsed_profile(pprof.render(document))
    assert profile.string_table[0] == ""
    types = [(profile.string_table[one.type], profile.string_table[one.unit]) for one in profile.sample_type]
    assert types == [("growth", "bytes"), ("handles", "count"), ("leaks", "bytes")]
    assert profile.time_nanos == 1_795_262_400 * 10**9
    assert profile.duration_nanos == 600_500_000_000
    found = stacks(profile)
    for row in document["growth"]:
        frames = [(one["function"], one["file"], one["line"]) for one in row["site"]]
        named = tuple(tuple(_shown(part) for part in frame) for frame in frames) or (("(no stack)", "", 0),)
        assert found[named, (row["bytes"], 0, 0), (("sort", row["how"]),)] == 1
    assert sum(one.value[1] for one in profile.sample) == sum(row["open"] for row in document["handles"])


def _shown(part: Any) -> Any:
    return part.encode("utf-8", "backslashreplace").decode() if isinstance(part, str) else part


def test_pprof_takes_numbers_below_zero_and_large_ones() -> None:
    document = report()
    document["growth"] = [document["growth"][0] | {"bytes": value} for value in (-5, 2**62, 0)]
    values = [one.value[0] for one in parsed_profile(pprof.render(document)).sample]
    assert values[:3] == [-5, 2**62, 0]


def test_pprof_of_a_recording_that_does_not_know_when_it_began() -> None:
    when = {"start": "", "duration_s": 2.0}
    assert parsed_profile(pprof.render(report(window=when))).duration_nanos == 2_000_000_000


@pytest.mark.parametrize("changes", [{}, EMPTY])
def test_speedscope_keeps_to_its_schema(changes: dict[str, Any]) -> None:
    file = json.loads(speedscope.render(report(**changes)))
    jsonschema.validate(file, json.loads((SCHEMAS / "speedscope.json").read_text()))
    for profile in file["profiles"]:
        assert len(profile["samples"]) == len(profile["weights"])
        assert profile["endValue"] == sum(profile["weights"])
        assert all(number < len(file["shared"]["frames"]) for stack in profile["samples"] for number in stack)


def test_speedscope_has_the_outermost_frame_first() -> None:
    file = json.loads(speedscope.render(report()))
    names = [file["shared"]["frames"][number]["name"] for number in file["profiles"][0]["samples"][0]]
    assert (names[0], names[-1]) == ("<module>", "call")


@pytest.mark.parametrize("changes", [{}, EMPTY])
def test_sarif_keeps_to_its_schema(changes: dict[str, Any]) -> None:
    log = json.loads(sarif.render(report(**changes)))
    jsonschema.validate(log, json.loads((SCHEMAS / "sarif-2.1.0.json").read_text()))


def test_sarif_points_to_the_line_of_the_program() -> None:
    results = json.loads(sarif.render(report(), Path("/srv")))["runs"][0]["results"]
    assert [one["ruleId"] for one in results] == [kind.value for kind in Kind]
    where = results[0]["locations"][0]["physicalLocation"]
    assert where["artifactLocation"] == {"uri": "app/main.py", "uriBaseId": "%SRCROOT%"}
    assert where["region"] == {"startLine": 7}
    assert results[0]["stacks"][0]["frames"][0]["location"]["physicalLocation"]["artifactLocation"] == {
        "uri": "file:///usr/lib/python3.11/socket.py"
    }
    levels = [one["level"] for one in results]
    assert levels[:3] == ["error", "warning", "note"]
    assert set(levels[5:]) == {"note"}  # suspects
    assert "](" not in results[1]["message"]["text"].replace("\\](", "")


def test_sarif_in_a_folder_of_any_name_and_in_one_that_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = tmp_path / "caf\udce9"
    odd.mkdir()
    monkeypatch.chdir(odd)
    for root in (f"file://{quote(str(tmp_path))}/caf%E9/", "file:///"):
        log = json.loads(sarif.render(report()))
        jsonschema.validate(log, json.loads((SCHEMAS / "sarif-2.1.0.json").read_text()))
        assert log["runs"][0]["originalUriBaseIds"]["%SRCROOT%"]["uri"] == root
        if odd.exists():
            odd.rmdir()


def families_of(text: bytes) -> list[Any]:
    """What the parser of Prometheus makes of it."""
    return list(parser.text_string_to_metric_families(text.decode()))  # type: ignore[no-untyped-call]


def test_openmetrics_is_read_by_the_parser_of_prometheus() -> None:
    document = report()
    families = {one.name: one for one in families_of(openmetrics.render(document))}
    assert families["memprobe_resident_bytes"].samples[0].value == 143.25 * (1 << 20)
    assert "memprobe_mapped_bytes" not in families  # was not measured
    handles = families["memprobe_open_handles"].samples
    assert sum(one.value for one in handles) == sum(row["open"] for row in document["handles"])
    assert len(handles) <= openmetrics.SITES + 3
    confidence = families["memprobe_finding_confidence_ratio"].samples
    assert {one.labels["kind"] for one in confidence} == {kind.value for kind in Kind}
    assert families["memprobe_lost"].samples[0].labels == {"name": "ring_full"}
    assert families["memprobe_lost"].samples[0].value == 3
    assert families_of(openmetrics.render(report(**EMPTY)))


def test_collapsed_stacks_end_in_their_bytes() -> None:
    document = report()
    lines = collapsed.render(document).decode().splitlines()
    assert len(lines) == len(document["growth"])
    assert lines[0].startswith("[fault];<module> (/srv/app/main.py:90);")
    assert all(line.isprintable() and line.count(";") in (1, 3) for line in lines)
    assert sum(int(line.rpartition(" ")[2]) for line in lines) == sum(
        row["bytes"] for row in document["growth"]
    )


def test_json_lines_have_everything() -> None:
    document = report()
    lines = json_lines.render(document)
    assert lines.isascii()
    records = [json.loads(line) for line in lines.splitlines()]
    assert Counter(one["record"] for one in records) == {"run": 1, "finding": 9, "handles": 60, "growth": 60}
    assert records[0]["memory"] == document["memory"]
    assert records[2]["holder"] == HOSTILE.encode("utf-8", "backslashreplace").decode()
