"""The wheel, wherever pip may put it: it finds its own models and rules, and takes nobody else's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCENE = ROOT / "deploy/demo/scene.flac"
SITE = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"

FACTS = (
    "import json; from vser_stream import __version__ as version;"
    "from vser_stream.config import locations as config;"
    "print(json.dumps([version, *map(str, (config.__file__, config.shipped_model(),"
    "config.shipped_reasoner(), config.shipped_rules()))]))"
)


@dataclass(frozen=True, slots=True)
class Layout:
    """How it was installed."""

    pip: Sequence[str]
    """Options; ``{}`` is a folder of its own."""

    site: str
    """Where the package lies then, below that folder."""

    environment: dict[str, str] = field(default_factory=dict)
    """What Python needs to find it."""


LAYOUTS = {
    "a virtual environment": Layout(["--python", "{}/bin/python"], SITE),
    "--user": Layout(["--user"], SITE, {"PYTHONUSERBASE": "{}"}),
    "--prefix": Layout(["--prefix", "{}"], SITE, {"PYTHONPATH": f"{{}}/{SITE}"}),
    "--target": Layout(["--target", "{}"], "", {"PYTHONPATH": "{}"}),
}


def run(*command: object, **environment: str) -> str:
    plain = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        list(map(str, command)), env=plain | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--wheel-dir", folder, ROOT)
    (made,) = folder.iterdir()
    return made


@pytest.fixture(scope="module")
def heard_here() -> str:
    return run(sys.executable, "-m", "vser_stream", "replay", "--json", SCENE, PYTHONPATH=str(ROOT))


def python(folder: Path) -> Path:
    """An environment without this package, but with the libraries of the one that runs the tests."""
    run(sys.executable, "-m", "venv", "--without-pip", "--system-site-packages", folder)
    libraries = {sysconfig.get_path(kind) for kind in ("purelib", "platlib")}
    (folder / SITE / "libraries.pth").write_text("\n".join(libraries))
    return folder / "bin/python"


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_it_finds_its_parts_and_hears_the_same(
    layout: Layout, wheel: Path, heard_here: str, tmp_path: Path
) -> None:
    folder = tmp_path / "here"
    interpreter = python(folder if layout.pip[0] == "--python" else tmp_path / "elsewhere")
    environment = {name: value.format(folder) for name, value in layout.environment.items()}
    options = [option.format(folder) for option in layout.pip]
    options = options if options[0] == "--python" else ["--python", str(interpreter), *options]
    run(
        sys.executable,
        "-m",
        "pip",
        *options[:2],
        "install",
        "-q",
        "--no-deps",
        *options[2:],
        wheel,
        **environment,
    )
    site = folder / layout.site
    for name in ("models", "rules"):
        (site / name / "calm-angry-panic").mkdir(parents=True)
        (site / name / "__init__.py").touch()
        (site / name / "calm-angry-panic" / "manifest.toml").write_text("somebody else's")
    version, *places = json.loads(run(interpreter, "-P", "-c", FACTS, **environment))
    assert version in wheel.name
    assert [place for place in places if not Path(place).is_relative_to(site / "vser_stream")] == []
    assert run(interpreter, "-P", "-m", "vser_stream", "replay", "--json", SCENE, **environment) == heard_here
