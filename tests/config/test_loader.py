import contextlib
import os
import random
from pathlib import Path

import pytest

from vser_stream.config import loader as config_module
from vser_stream.config.loader import load
from vser_stream.config.locations import shipped_model, shipped_rules
from vser_stream.config.schema import Config
from vser_stream.errors import ConfigError

SMALLEST = """
site = "home-1"
[mqtt]
host = "127.0.0.1"
[[sources]]
name = "bedroom"
url = "rtsp://127.0.0.1:8554/pcma"
[reasoner]
backend = "bundled"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "vser.toml"
    path.write_text(text)
    return path


def complaint(folder: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(written(folder, text))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_smallest_configuration_of_the_contract_works(tmp_path: Path) -> None:
    config = load(written(tmp_path, SMALLEST))
    assert (config.site, config.mqtt.port, config.sources[0].name) == ("home-1", 1883, "bedroom")
    assert config.model_dir == shipped_model()
    assert (config.rules_path, config.reasoner.language) == (shipped_rules(), "en")
    assert shipped_rules().is_file()


def test_rules_and_language_are_the_operators_choice(tmp_path: Path) -> None:
    config = load(written(tmp_path, f'{SMALLEST}rules = "ours.toml"\nlanguage = "vi"\n'))
    assert (config.rules_path, config.reasoner.language) == (tmp_path / "ours.toml", "vi")
    assert "reasoner.language: give 'en' or 'vi'" in complaint(tmp_path, f'{SMALLEST}language = "fr"\n')


def test_a_source_may_have_its_own_number_of_false_alarms(tmp_path: Path) -> None:
    kitchen = '[[sources]]\nname = "kitchen"\ndevice = "default"\nfalse_alarms_per_day = 0.5\n'
    text = f"{SMALLEST}{kitchen}[alarm]\nfalse_alarms_per_day = 4\n[alarm.panic]\nhold = 20\n"
    config = load(written(tmp_path, text))
    bedroom, other = (config.alarm_of(source) for source in config.sources)
    assert (bedroom.false_alarms_per_day, other.false_alarms_per_day) == (4, 0.5)
    assert (bedroom.panic.hold, other.panic.hold) == (20, 20)
    assert "false_alarms_per_day" in complaint(tmp_path, text.replace("0.5", "0"))


def test_a_reasoner_backend_says_what_it_lacks(tmp_path: Path) -> None:
    smallest = SMALLEST.replace('backend = "bundled"', "")
    assert "needs model and sha256" in complaint(tmp_path, f'{smallest}backend = "gguf"\n')
    assert "needs url" in complaint(tmp_path, f'{smallest}backend = "server"\n')
    assert "reasoner.url" in complaint(tmp_path, f'{smallest}backend = "server"\nurl = "ftp://x"\n')


def test_an_unknown_key_is_named_with_its_file_and_the_nearest_known_one(tmp_path: Path) -> None:
    text = complaint(tmp_path, SMALLEST.replace('host = "127.0.0.1"', 'hots = "127.0.0.1"'))
    assert "vser.toml" in text
    assert "unknown key 'mqtt.hots'; did you mean 'host'?" in text
    text = complaint(tmp_path, SMALLEST.replace("url =", "urll ="))
    assert "source 'bedroom': unknown key 'urll'; did you mean 'url'?" in text


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('site = "home-1"', 'site = "ward 3/b"', "site: 'ward 3/b' may hold only A-Z, a-z, 0-9, _ and -"),
        ('url = "rtsp://127.0.0.1:8554/pcma"', "", "needs exactly one of url, device, file"),
        ('url = "rtsp://127.0.0.1:8554/pcma"', 'url = "http://x"', "source 'bedroom': url: give rtsp://"),
        ('host = "127.0.0.1"', 'host = "h"\npassword_file = "p"', "password_file needs username"),
        ('host = "127.0.0.1"', 'host = "h"\nport = 99999', "mqtt.port"),
        ('backend = "bundled"', 'backend = "gpt"', "reasoner.backend"),
        ("[reasoner]", "[alarm.panic]\nescalate_after = [60, 30]\n[reasoner]", "escalate_after must grow"),
        (
            "[reasoner]",
            '[[sources]]\nname = "bedroom"\ndevice = "d"\n[reasoner]',
            "two sources are named 'bedroom'",
        ),
    ],
)
def test_a_wrong_value_is_named(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert says in complaint(tmp_path, SMALLEST.replace(old, new))


def test_no_sources_at_all_is_one_complaint(tmp_path: Path) -> None:
    assert complaint(tmp_path, 'site = "a"\nsources = []\n[mqtt]\nhost = "h"').count(";") == 0


def test_what_is_no_toml_and_what_is_not_there_are_one_line(tmp_path: Path) -> None:
    assert "not a TOML file" in complaint(tmp_path, "site = ")
    with pytest.raises(ConfigError, match="No such file"):
        load(tmp_path / "absent.toml")


def test_a_password_in_a_wrong_place_is_not_repeated(tmp_path: Path) -> None:
    assert "s3cret" not in complaint(
        tmp_path, SMALLEST.replace("[reasoner]", '[mqtt2]\npassword = "s3cret"\n[reasoner]')
    )
    assert "s3cret" not in complaint(tmp_path, SMALLEST.replace("rtsp://", "rtps://u:s3cret@"))


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 5000,
        "a." * 5000 + "b = 1",
        "n = " + "9" * 5000,
        'a = "\x00"',
        "\x00\x01",
        "a = 1\na = 2",
        "[a]\n[a]",
        "a = 9999-99-99",
        "= 1",
        "x" * 2**21,
    ],
)
def test_what_is_no_toml_is_one_line(tmp_path: Path, text: str) -> None:
    assert len(complaint(tmp_path, text)) < 600


def test_random_slips_of_the_keyboard_are_one_line_each_or_harmless(tmp_path: Path) -> None:
    chance = random.Random(11)  # noqa: S311 - the same each time
    for _ in range(300):
        text = list(SMALLEST)
        for _ in range(chance.randint(1, 6)):
            text[chance.randrange(len(text))] = chance.choice("[]{}=\"'.,#\n\t\\ 019axé\x00\ufeff")
        with contextlib.suppress(ConfigError):
            load(written(tmp_path, "".join(text)))


def test_the_mark_windows_begins_a_file_with_is_no_part_of_it(tmp_path: Path) -> None:
    (tmp_path / "vser.toml").write_bytes(b"\xef\xbb\xbf" + SMALLEST.replace("\n", "\r\n").encode())
    assert load(tmp_path / "vser.toml").site == "home-1"


def test_a_pipe_is_no_configuration_and_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match="no regular file"):
        load(tmp_path / "pipe")
    for key in ("rules", "model"):
        assert "'/dev/zero': no regular file" in complaint(tmp_path, f'{SMALLEST}{key} = "/dev/zero"\n')
    assert "is a folder" in complaint(tmp_path, SMALLEST.replace("[[", f'password_file = "{tmp_path}"\n[['))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("[[sources]]", "[sources]", "sources: write [[sources]] with double brackets, once for each source"),
        ('"bedroom"', '"Living room"', "for example 'living-room'"),
        (
            '"bedroom"',
            '"phòng-ngủ"',
            "0-9, _ and -, 64 at most; for example 'phong-ngu'",
        ),
        ('"bedroom"', '"Đèn"', "for example 'den'"),
        (
            '"bedroom"',
            '"寝室"',
            "source '寝室': name: '寝室' may hold only A-Z",
        ),
        (
            "[reasoner]",
            "[alarm]\npanic = false\n[reasoner]",
            "[alarm.panic], and below it enabled = false",
        ),
        ("[reasoner]", "[http]\nport = '80'\n[reasoner]", "http.port: give a whole number, without quotes"),
        ("[reasoner]", "http = 80\n[reasoner]", "source 'bedroom': unknown key 'http'"),
        (
            "[reasoner]",
            "[publish]\nhealth_every = 0.001\n[reasoner]",
            "health_every: give at least 1",
        ),
        ("[reasoner]", "[segment]\nlongest = 1e308\n[reasoner]", "segment.longest: give at most 30"),
        ("[reasoner]", "[alarm.panic]\nrefractory = inf\n[reasoner]", "alarm.panic.refractory: give"),
        ("[reasoner]", "[alarm.panic]\nhold = nan\n[reasoner]", "alarm.panic.hold: give a finite number"),
        (
            'url = "rtsp://127.0.0.1:8554/pcma"',
            "device = 1",
            "source 'bedroom': device: give text, in quotes",
        ),
        (
            "rtsp://127.0.0.1:8554/pcma",
            "http://h/a",
            "give rtsp://HOST:PORT/PATH or rtsps:// instead of http://",
        ),
        ("rtsp://127.0.0.1:8554/pcma", "http://[::1", "source 'bedroom': url: give rtsp://"),
        ("127.0.0.1:8554", "h:0", "url: its port is none: give 1 to 65535"),
        ("127.0.0.1:8554", "u:s3:c@t/#?%41@cam", "goes to password_file, and its user to username"),
        ('host = "127.0.0.1"', 'host = "broker..x"', "mqtt.host: is no host name and no IP address"),
        ('host = "127.0.0.1"', 'host = "mqtt://h"', "give the host alone, without mqtt:// before it"),
        ('host = "127.0.0.1"', 'host = "h:1883"', "what follows its colon goes to port"),
        ('host = "127.0.0.1"', 'host = "my broker"', "is no host name and no IP address"),
        ('host = "127.0.0.1"', 'host = "192.168.1.300"', "is no host name and no IP address"),
        ('host = "127.0.0.1"', 'host = "h"\nport = "1883"', "mqtt.port: give a whole number, without quotes"),
        ('host = "127.0.0.1"', 'host = "h"\ntls = "yes"', "mqtt.tls: give true or false, without quotes"),
        ('host = "127.0.0.1"', 'host = "h"\nca_file = "~nobody-here/a"', "there is no user 'nobody-here'"),
        ('"bundled"', '"server"\nurl = "http://h/v1?key=s3cret"', "a key goes to api_key_file"),
    ],
)
def test_a_wrong_value_is_told_with_what_to_write_instead(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    said = complaint(tmp_path, SMALLEST.replace(old, new))
    assert says in said
    assert "s3" not in said.partition("vser.toml: ")[2]


@pytest.mark.parametrize(
    "url", ["RTSP://h/s", "Rtsps://[fe80::1]:322/s", "rtsp://u:p@h:554/a?b=@", "rtsp://h"]
)
def test_addresses_of_cameras_as_people_have_them(tmp_path: Path, url: str) -> None:
    text = SMALLEST.replace("rtsp://127.0.0.1:8554/pcma", url)
    assert (
        load(written(tmp_path, text.replace("[reasoner]", 'username = "u"\n[reasoner]'))).sources[0].url
        == url
    )


@pytest.mark.parametrize(
    "host", ["broker", "my_broker.local", "broker.example.", "::1", "[::1]", "192.168.1.3", "bücher.example"]
)
def test_hosts_as_people_have_them(tmp_path: Path, host: str) -> None:
    load(written(tmp_path, SMALLEST.replace('host = "127.0.0.1"', f'host = "{host}"')))


def test_paths_start_from_the_folder_of_the_file(tmp_path: Path) -> None:
    text = SMALLEST.replace('url = "rtsp://127.0.0.1:8554/pcma"', 'file = "a/scene.flac"')
    config = load(written(tmp_path, 'state_dir = "state"\nmodel = "/m"\n' + text))
    assert config.sources[0].file == tmp_path / "a/scene.flac"
    assert (config.state_path, config.model_dir) == (tmp_path / "state", Path("/m"))


def test_the_state_folder_is_systemds_where_it_gives_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = load(written(tmp_path, SMALLEST))
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/vser:/other")
    assert config.state_path == Path("/var/lib/vser")
    monkeypatch.delenv("STATE_DIRECTORY")
    monkeypatch.setenv("XDG_STATE_HOME", "/home/me/state")
    assert config.state_path == Path("/home/me/state/vser-stream")


def test_one_alarm_key_leaves_the_others_at_their_defaults(tmp_path: Path) -> None:
    config = load(written(tmp_path, SMALLEST + "[alarm.panic]\nfast = 0.8\n"))
    assert config.alarm.panic.fast == 0.8
    assert config.alarm.panic.distress == Config.model_fields["alarm"].default.panic.distress


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = written(tmp_path, SMALLEST)
    monkeypatch.setattr(config_module, "INSTALLED", path)
    for variable in ("CREDENTIALS_DIRECTORY", "STATE_DIRECTORY"):
        monkeypatch.delenv(variable, raising=False)
    return path


def test_from_a_shell_the_installed_one_means_the_state_of_the_service(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_service, elsewhere = Path("/var/lib/vser-stream"), Path("/elsewhere")
    assert load(installed).state_path == of_service
    monkeypatch.chdir(installed.parent)
    assert load(Path("vser.toml")).state_path == of_service
    assert load(written(installed.parent, f'state_dir = "/elsewhere"\n{SMALLEST}')).state_path == elsewhere
    other = installed.with_name("other.toml")
    other.write_text(SMALLEST)
    assert load(other).state_path != of_service
    monkeypatch.setenv("STATE_DIRECTORY", "/elsewhere")
    assert load(written(installed.parent, SMALLEST)).state_path == elsewhere


def test_passwords_of_the_service_are_found_beside_the_file_from_a_shell(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    login = '[mqtt]\nusername = "u"\npassword_file = "$CREDENTIALS_DIRECTORY/mqtt-password"'
    written(installed.parent, SMALLEST.replace("[mqtt]", login))
    assert load(installed).mqtt.password_file == installed.parent / "credentials/mqtt-password"
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/credentials/unit")
    assert load(installed).mqtt.password_file == Path("/run/credentials/unit/mqtt-password")
