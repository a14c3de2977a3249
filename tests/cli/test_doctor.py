import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.audio import voice
from support.broker import Mosquitto, free_port
from support.camera import camera
from support.command import vser_stream
from support.daemon import SCENE, Subscriber, wait_for

HUNTER = "hunter2"
ACL = """
user agent
topic write vser/v1/home/hall/alert
topic write vser/v1/home/hall/state
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    folder = tmp_path_factory.mktemp("broker")
    with Mosquitto(folder, users={"agent": HUNTER}, acl=ACL) as running:
        yield running


def configuration(folder: Path, port: int, *, mqtt: str = "", source: str = f'file = "{SCENE}"') -> Path:
    (folder / "password").write_text(HUNTER)
    path = folder / "vser.toml"
    path.write_text(
        f'site = "home"\nstate_dir = "{folder}"\n[mqtt]\nhost = "127.0.0.1"\nport = {port}\n{mqtt}\n'
        f'[[sources]]\nname = "hall"\n{source}\n'
    )
    return path


LOGIN = 'username = "agent"\npassword_file = "password"'


def examined(config: Path) -> tuple[int, dict[str, tuple[str, str]]]:
    """Exit code; verdict and words of each step."""
    done = vser_stream("doctor", "--config", config, "--json", timeout=90)
    assert HUNTER not in done.stdout + done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    assert report["ok"] is (done.returncode == 0)
    return done.returncode, {one["name"]: (one["verdict"], one["detail"]) for one in report["findings"]}


def test_a_healthy_box_with_one_topic_the_broker_refuses(tmp_path: Path, server: Mosquitto) -> None:
    with camera(voice(10.0), tmp_path, login=("cam", HUNTER)) as served:
        source = f'url = "{served.url("pcma")}"\nusername = "cam"\npassword_file = "password"'
        code, steps = examined(configuration(tmp_path, server.port, mqtt=LOGIN, source=source))
    assert code == 6
    (failed,) = [name for name, (verdict, _) in steps.items() if verdict == "fail"]
    assert failed == "broker: may publish vser/v1/home/hall/selftest"
    assert "topic write vser/v1/home/hall/selftest" in steps[failed][1]
    steps.pop("clock")  # a box of its own may have none that is right
    assert list(steps) == [
        "python",
        "packages",
        "configuration",
        "model",
        "alarm of hall",
        "rules",
        "voice activity and features",
        "reasoner",
        "source hall: name resolves",
        "source hall: TCP connects",
        "source hall: RTSP answers",
        "source hall: login",
        "source hall: audio track",
        "source hall: first samples",
        "source hall: signal",
        "source hall: sound",
        "broker: name resolves",
        "broker: TCP connects",
        "broker: TLS",
        "broker: login",
        "broker: may publish vser/v1/home/hall/selftest",
        "broker: may read vser/v1/home/+/cmd/#",
        "disk: space",
        "disk: sync",
    ]


@pytest.mark.parametrize(
    ("mqtt", "step", "words"),
    [
        ('username = "agent"\npassword_file = "wrong"', "broker: login", "check username"),
        ("tls = true", "broker: TLS", "whether it expects tls"),
    ],
)
def test_the_step_of_the_broker_that_fails_is_named(
    tmp_path: Path, server: Mosquitto, mqtt: str, step: str, words: str
) -> None:
    (tmp_path / "wrong").write_text("wr0ng")
    code, steps = examined(configuration(tmp_path, server.port, mqtt=mqtt))
    broker = [name for name in steps if name.startswith("broker")]
    assert (code, broker[-1], steps[step][0]) == (6, step, "fail")
    assert words in steps[step][1]
    assert "wr0ng" not in str(steps)


def test_it_goes_on_after_each_failure(tmp_path: Path) -> None:
    config = configuration(tmp_path, free_port(), source='device = "no such microphone"')
    done = vser_stream("doctor", "--config", config)
    assert done.returncode == 6
    steps, _, summary = done.stdout.partition("\n\n")
    failed = [line for line in steps.splitlines() if line.startswith("fail ")]
    assert [line.split(": ")[1] for line in failed] == ["first samples", "TCP connects"]
    assert steps.splitlines()[-1].startswith("ok   disk: sync: ")
    *again, last = summary.splitlines()
    assert again[-2:] == failed
    assert last == f"{len(steps.splitlines())} steps, 2 failed: correct what they say, and run this again"


@pytest.mark.parametrize(
    ("reasoner", "verdict", "words"),
    [
        ("", "ok", "classified a synthetic utterance in"),
        ('backend = "none"', "ok", "are decided by the SVM"),
        ('backend = "server"\nurl = "http://127.0.0.1:{port}/v1"', "fail", "127.0.0.1"),
    ],
)
def test_the_reasoner_is_asked_as_the_daemon_would(
    tmp_path: Path, reasoner: str, verdict: str, words: str
) -> None:
    config = configuration(tmp_path, free_port())
    config.write_text(f"{config.read_text()}[reasoner]\n{reasoner.format(port=free_port())}\n")
    _, steps = examined(config)
    assert steps["reasoner"][0] == verdict
    assert words in steps["reasoner"][1]


def test_without_a_configuration_the_rest_is_still_examined(tmp_path: Path) -> None:
    code, steps = examined(tmp_path / "absent.toml")
    assert (code, steps["configuration"][0], steps["model"][0]) == (6, "fail", "ok")
    assert "clock" in steps


QUICK = '[reasoner]\nbackend = "none"\n'
"""What is not asked here is not waited for."""


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        (
            "retain_available false\nmax_qos 0\nmax_packet_size 2000",
            {
                "login": "does not store retained messages: later subscribers",
                "takes an alert": "4096 bytes are too many",
            },
        ),
        ("message_size_limit 2000", {"takes an alert": "4096 bytes are too many"}),
    ],
)
def test_what_the_broker_does_not_take_is_a_doubt_and_no_alarm_is_touched(
    tmp_path: Path, setting: str, told: dict[str, str]
) -> None:
    with Mosquitto(tmp_path, settings=setting) as server, Subscriber(server, "vser/#") as subscriber:
        config = configuration(tmp_path, server.port)
        config.write_text(config.read_text() + QUICK)
        _, steps = examined(config)
        wait_for(lambda: subscriber.received, within=30, what="what is tried")
        topics = {topic for topic, _ in subscriber.received}
    doubts = {name: words for name, (verdict, words) in steps.items() if verdict != "ok" and "broker" in name}
    assert list(doubts) == [f"broker: {name}" for name in (*told, "takes Home Assistant's discovery")]
    assert all(words in doubts[f"broker: {name}"] for name, words in told.items())
    assert topics == {"vser/v1/home/hall/selftest"}
