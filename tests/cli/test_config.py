import json
from pathlib import Path

from support.command import vser_stream

CONFIG = """
site = "home-1"
[mqtt]
host = "127.0.0.1"
[[sources]]
name = "bedroom"
url = "rtsp://cam:s3cret@127.0.0.1:8554/pcma"
"""
SCHEMAS = Path(__file__).parents[2] / "deploy/schema"


def test_a_good_configuration_is_said_to_be_good(tmp_path: Path) -> None:
    path = tmp_path / "vser.toml"
    path.write_text(CONFIG)
    done = vser_stream("config", "check", path)
    assert (done.returncode, "good" in done.stdout) == (0, True)


def test_a_bad_one_is_one_line_and_code_3(tmp_path: Path) -> None:
    path = tmp_path / "vser.toml"
    path.write_text(CONFIG.replace("host", "hots"))
    for verb in (["config", "check"], ["config", "show"], ["run", "--config"]):
        done = vser_stream(*verb, path)
        assert done.returncode == 3
        assert "did you mean 'host'?" in done.stderr
        assert done.stderr.count("\n") == 1


def test_show_prints_the_defaults_and_no_password(tmp_path: Path) -> None:
    path = tmp_path / "vser.toml"
    path.write_text(CONFIG)
    done = vser_stream("config", "show", path)
    assert json.loads(done.stdout)["mqtt"]["port"] == 1883
    assert "s3cret" not in done.stdout


def test_the_schemas_in_the_tree_are_those_of_the_code(tmp_path: Path) -> None:
    assert vser_stream("config", "schema", "--out", tmp_path).returncode == 0
    made = {path.name: path.read_text() for path in tmp_path.iterdir()}
    kept = {path.name: path.read_text() for path in SCHEMAS.iterdir()}
    assert made == kept, "renew them: vser-stream config schema --out deploy/schema"
