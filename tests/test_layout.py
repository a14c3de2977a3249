"""Where a test lies says what it tests."""

from pathlib import Path

import vser_stream

TESTS = Path(__file__).parent
PACKAGE = Path(vser_stream.__file__).parent


def modules(package: str) -> list[Path]:
    return [path for path in sorted((PACKAGE / package).rglob("*.py")) if path.name != "__init__.py"]


def test_each_module_of_the_core_has_a_test_file_of_its_name_in_the_folder_of_its_name() -> None:
    core = modules("core")
    assert len(core) > 60
    without = [
        str(module.relative_to(PACKAGE))
        for module in core
        if not (TESTS / module.relative_to(PACKAGE).with_name(f"test_{module.name}")).exists()
    ]
    assert without == []


def test_each_folder_of_tests_is_one_of_the_package_or_has_another_reason() -> None:
    """Other folders hold what tests are made of, or tests of what is installed beside the package."""
    others = {"bench", "deploy", "home_assistant", "schemas", "support"}
    folders = {path.parent.relative_to(TESTS) for path in TESTS.rglob("test_*.py")}
    strange = {str(folder) for folder in folders if folder.parts and folder.parts[0] not in others}
    assert {name for name in strange if not (PACKAGE / name).is_dir()} == set()
