"""What descriptors point to, in a few words."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from memprobe.ledger.handle_targets import NAMED, targets_of


def test_files_of_a_folder_and_connections_to_a_peer_are_one_target() -> None:
    texts = [f"/tmp/up{number}.part" for number in range(6)]
    texts += [f"tcp 10.0.0.2:{number} -> 10.0.0.9:5432" for number in range(40000, 40003)]
    texts += ["/etc/passwd"]
    assert targets_of(texts) == (("/tmp/*.part", 0.6), ("tcp 10.0.0.9:5432", 0.3), ("/etc/*", 0.1))


def test_what_is_open_many_times_is_named() -> None:
    assert targets_of(["/etc/passwd"] * 3 + ["/tmp/a (deleted)"]) == (
        ("/etc/passwd", 0.75),
        ("/tmp/* (deleted)", 0.25),
    )


def test_what_has_only_a_number_is_no_target() -> None:
    assert targets_of(["pipe:[4711]", "anon_inode:[eventpoll]", "", "unix /run/app.sock"]) == (
        ("unix /run/app.sock", 1.0),
    )
    assert targets_of(["pipe:[4711]"]) == ()


@given(st.lists(st.text(max_size=40), max_size=30))
def test_whatever_they_are_called_the_shares_are_shares(texts: list[str]) -> None:
    found = targets_of(texts)
    assert len(found) <= NAMED
    assert sum(share for _, share in found) <= 1.0 + 1e-9
    assert all(0 < share <= 1 for _, share in found)
