"""Growth by stack, its account, and the collector."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kernel_source.following import Following, following
from memprobe.abi import GrowthHow
from memprobe.sources.kernel import KernelOptions
from memprobe.sources.kernel.kit import Kit
from pythons import Interpreter, own

pytestmark = [pytest.mark.usefixtures("bpf"), pytest.mark.few_interpreters]

RESIDENT = (GrowthHow.RSS_FILE, GrowthHow.RSS_ANONYMOUS, GrowthHow.RSS_SHARED)
AMOUNTS = {"small": 400_000, "bytes": 20_000, "large": 30 << 20, "mapped": 30 << 20}


def by_stack(found: Following, *hows: GrowthHow) -> dict[int, int]:
    """Net bytes of each stack."""
    rows = found.table("growth")
    rows = rows[np.isin(rows["how"], hows)]
    total: dict[int, int] = {}
    for row in rows:
        net = int(row["grown_bytes"]) - int(row["freed_bytes"])
        total[int(row["stack_id"])] = total.get(int(row["stack_id"]), 0) + net
    return total


def settled(found: Following) -> None:
    """Have the account closed now."""
    found.source.settle()
    found.poll()


@pytest.mark.parametrize("way", AMOUNTS)
def test_growth_is_credited_to_its_line(interpreter: Interpreter, targets: Path, kit: Kit, way: str) -> None:
    with interpreter.spawn(targets / "growing.py") as target, following(target.pid, kit=kit) as found:
        found.poll()
        found.batches.clear()
        grown = int(target.ask(f"{way} {AMOUNTS[way]}"))
        settled(found)
        account = by_stack(found, *RESIDENT)
        assert abs(sum(account.values()) - grown) < max(0.1 * grown, 1 << 20)
        first = max(account, key=lambda number: account[number])
        frames = [frame.function for frame in found.stacks[first].frames if "listcomp" not in frame.function]
        assert frames[0].rstrip("_") == way


def test_page_faults_stand_in_for_the_exact_account(interpreter: Interpreter, targets: Path) -> None:
    options = KernelOptions(exact_account=False)
    with interpreter.spawn(targets / "growing.py") as target, following(target.pid, options) as found:
        found.poll()
        found.batches.clear()
        grown = int(target.ask(f"large {30 << 20}"))
        found.poll()
        assert by_stack(found, *RESIDENT) == {}
        faults = by_stack(found, GrowthHow.FAULT)
        assert 0.9 * grown < sum(faults.values()) < 2.5 * grown
        first = max(faults, key=lambda number: faults[number])
        assert found.stacks[first].frames[0].function == "large"


def test_pools_are_seen_where_the_build_shows_them(interpreter: Interpreter, targets: Path, kit: Kit) -> None:
    with interpreter.spawn(targets / "growing.py") as target, following(target.pid, kit=kit) as found:
        found.poll()
        found.batches.clear()
        target.ask("small 400000")
        settled(found)
        pools = by_stack(found, GrowthHow.POOL)
        if "pool" in {one.point for one in found.source.attached}:
            assert 0.8 * 400_000 * 16 < sum(pools.values()) < 1.5 * 400_000 * 16
        else:
            assert pools == {}
            assert any("small objects" in one for one in found.source.invisible)


def test_collections_are_seen_where_the_build_shows_them(
    interpreter: Interpreter, targets: Path, kit: Kit
) -> None:
    with interpreter.spawn(targets / "growing.py") as target, following(target.pid, kit=kit) as found:
        target.ask("garbage 30")
        found.poll()
        rows = found.table("collections")
        points = {one.point for one in found.source.attached}
        if not points & {"gc__start", "collector"}:
            assert len(rows) == 0
            assert any("collector" in one for one in found.source.invisible)
            return
        # From 3.14 on a young collection may be answered by an older one.
        assert rows["generation"].tolist() == [0, 1, 2] * 10
        assert (rows["duration_ns"] > 0).all()
        if "gc__done" in points:
            assert (rows["collected"] >= 1).all()
        else:
            assert (rows["collected"] == -1).all()


def test_kernels_that_attach_to_one_instruction_at_a_time(
    targets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memprobe.sources.kernel.bpf_objects.takes_many", lambda *_: False)
    with own().spawn(targets / "growing.py") as target, following(target.pid) as found:
        found.poll()
        found.batches.clear()
        target.ask("small 400000")
        target.ask("garbage 30")
        settled(found)
        assert 0.8 * 400_000 * 16 < sum(by_stack(found, GrowthHow.POOL).values()) < 1.5 * 400_000 * 16
        assert found.table("collections")["generation"].tolist() == [0, 1, 2] * 10


def test_no_page_of_ours_is_left_in_the_target(interpreter: Interpreter, targets: Path) -> None:
    with interpreter.spawn(targets / "growing.py") as target:
        with following(target.pid):
            target.ask("small 100000")
            target.ask("garbage 3")
        assert "[uprobes]" not in Path(f"/proc/{target.pid}/maps").read_text()
        target.ask("small 1000")
