"""The shape of the house: what no type checker, linter or import contract can say."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("kernel", "messaging", "notifications", "reminders", "server")
GENERATED = {ROOT / "messaging/protocol/client_pb2.py"}
HOLDING_CODE = {"server/__init__.py", "server/cli/__init__.py"}
"""Packages with more than a docstring: the version lives there, and the command."""


def _checked_in(*patterns: str) -> list[Path]:
    """Files that are, or are about to be, part of the repository."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    found = [ROOT / name for name in names.splitlines() if (ROOT / name).exists()]
    assert found, f"nothing matches {patterns}"
    return found


SOURCES = sorted(set(_checked_in(*(f"{name}/*.py" for name in PACKAGES))) - GENERATED)
TESTS = sorted(_checked_in("tests/*.py"))


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def test_every_module_says_in_its_first_line_what_it_is():
    first_lines = {
        _name(path): (ast.get_docstring(_tree(path)) or "").partition("\n")[0] for path in SOURCES
    }

    assert {
        name for name, line in first_lines.items() if not line.endswith((".", ":", "?"))
    } == set()


@pytest.mark.parametrize(
    ("paths", "lines"),
    # A suite tells everything about one port, so it may be longer than what it tests.
    [(SOURCES, 300), (TESTS, 600)],
    ids=["sources", "tests"],
)
def test_every_file_holds_one_subject(paths, lines):
    lengths = {_name(path): len(path.read_text().splitlines()) for path in paths}

    assert {name: length for name, length in lengths.items() if length > lines} == {}


def test_packages_hold_a_docstring_and_no_code():
    packages = [path for path in SOURCES if path.name == "__init__.py"]

    assert {_name(path) for path in packages if len(_tree(path).body) > 1} <= HOLDING_CODE


def _private_imports(path: Path) -> Iterator[str]:
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in PACKAGES:
            for each in node.names:
                if each.name.startswith("_") and not each.name.startswith("__"):
                    yield f"{_name(path)}: {node.module}.{each.name}"


def test_what_begins_with_an_underscore_stays_in_its_module():
    assert [taken for path in SOURCES + TESTS for taken in _private_imports(path)] == []


def test_no_module_is_named_after_nothing():
    empty = {"utils", "util", "helpers", "helper", "misc"}

    assert [_name(path) for path in SOURCES + TESTS if path.stem in empty] == []


def test_no_package_shadows_the_standard_library():
    assert not set(PACKAGES) & sys.stdlib_module_names


def test_the_migrations_folder_does_not_shadow_alembic():
    assert not (ROOT / "alembic/__init__.py").exists()


def test_tests_of_a_room_are_not_taken_for_the_room():
    assert (ROOT / "tests/__init__.py").exists()
    assert [name for name in PACKAGES if (ROOT / f"tests/{name}/__init__.py").exists()] == []


def test_no_link_is_checked_in():
    listed = ["git", "ls-files", "--stage"]
    modes = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout

    assert modes
    assert [line for line in modes.splitlines() if line.startswith("120000")] == []


def test_the_import_contracts_hold():
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stdout + done.stderr
