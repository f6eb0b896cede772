"""Which program a command line runs."""

from __future__ import annotations

import pytest

from memprobe.experience.identity import program_of


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (["/usr/bin/python3", "/srv/app/main.py"], "/srv/app/main.py"),
        (["python3.11", "main.py"], "/srv/app/main.py"),
        (["python", "-u", "-W", "error", "-X", "dev", "/srv/a.py"], "/srv/a.py"),
        (["python", "-m", "app"], "python -m app"),
        (["python", "-um", "app"], "python -m app"),
        (["python"], "python"),
        (["python", "-i"], "python"),
        (["gunicorn: master"], "gunicorn: master"),
        ([], "unknown"),
    ],
)
def test_a_script_or_a_module_is_its_name(command: list[str], name: str) -> None:
    assert program_of(command, "/srv/app") == name


def test_other_arguments_tell_programs_apart_but_not_their_numbers() -> None:
    web, other_port, worker = (
        program_of(["python", "/srv/manage.py", *rest])
        for rest in (["runserver", "8000"], ["runserver", "8001"], ["worker", "8000"])
    )
    assert web == other_port != worker
    assert web.startswith("/srv/manage.py #")


def test_a_program_that_gives_itself_a_title_is_the_same_in_every_run() -> None:
    one, other = ([f"dask worker [tcp://127.0.0.1:{port}]"] for port in (34567, 40001))
    assert program_of(one) == program_of(other)
    assert program_of(["celeryd: celery@host (-A shop)"]) != program_of(["gunicorn: master [shop]"])


def test_arguments_are_not_shown() -> None:
    assert "hunter" not in program_of(["python", "/srv/a.py", "--password", "hunter"])
    assert "hunter" not in program_of(["python", "-c", "password = 'hunter'"])
    assert program_of(["python", "-c", "a"]) != program_of(["python", "-c", "b"])


def test_a_name_is_bounded() -> None:
    assert len(program_of(["python", "/" + "a" * 10_000, "b" * 10_000])) < 400
