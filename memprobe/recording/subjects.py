"""Subjects as JSON and back: one list per subject, its fields in the order of the class."""

from __future__ import annotations

import json
from collections.abc import Mapping

from memprobe.recording.columns import BadBlob
from memprobe.vocab.subject import Subject
from memprobe.vocab.subject_lists import subject_from_list, subject_to_list, whole_number


def packed_subjects(subjects: Mapping[int, Subject]) -> bytes:
    """Return what a batch says of subjects as JSON."""
    return json.dumps([[number, *subject_to_list(one)] for number, one in subjects.items()]).encode()


def unpacked_subjects(text: bytes) -> dict[int, Subject]:
    """Undo `packed_subjects`; raise BadBlob for anything else."""
    try:
        return {whole_number(number): subject_from_list(fields) for number, *fields in json.loads(text)}
    except (ValueError, TypeError, RecursionError) as error:
        raise BadBlob(f"subjects of something else ({error})") from error
