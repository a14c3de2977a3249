import json
from pathlib import Path

import pytest
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


def test_what_can_be_corrected_while_it_runs_is_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "vser.toml"
    login = 'host = "127.0.0.1"\nusername = "u"\npassword_file = "mqtt.password"'
    path.write_text(CONFIG.replace('host = "127.0.0.1"', login))
    done = vser_stream("config", "check", path)
    assert done.returncode == 0
    assert done.stderr.replace(f"vser-stream: {path}: warning: ", "").splitlines() == [
        f"mqtt: password_file {tmp_path}/mqtt.password: No such file or directory",
        "source 'bedroom': its url holds a password; put it into password_file",
    ]


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ('model = "no/model"', "manifest.toml: cannot be read"),
        ('[reasoner]\nrules = "none.toml"', "none.toml: cannot be read"),
        (
            '[reasoner]\nbackend = "server"\nurl = "http://127.0.0.1/v1"\napi_key_file = "none"',
            "server's key",
        ),
        ('[reasoner]\nbackend = "server"\nurl = "http://192.168.1.1/v1"', "egress"),
        (
            '[reasoner]\nbackend = "gguf"\nmodel = "x.gguf"\nsha256 = "' + "0" * 64 + '"',
            "x.gguf: cannot be read",
        ),
    ],
)
def test_what_the_daemon_cannot_start_with_is_refused(tmp_path: Path, more: str, says: str) -> None:
    path = tmp_path / "vser.toml"
    top, tables = (more, "") if more.startswith("model") else ("", more)
    path.write_text(f"{top}\n{CONFIG}\n{tables}\n")
    done = vser_stream("config", "check", path)
    assert (done.returncode, done.stdout) == (3, "")
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


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
