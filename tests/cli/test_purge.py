"""Giving up a site: nothing of it stays on the broker."""

from pathlib import Path

from support.broker import Mosquitto
from support.command import vser_stream
from support.daemon import Subscriber, configuration, daemon, wait_for


def retained(broker: Mosquitto) -> set[str]:
    """Topics of which the broker keeps something."""
    with Subscriber(broker, "#") as late:

        def come() -> bool:
            broker.publish("here", "x")  # what is retained came before it
            return ("here", "x") in late.received

        wait_for(come, within=20, what="all that is retained")
        return {topic for topic, payload in late.received if payload and topic != "here"}


def test_a_site_that_is_given_up_leaves_nothing_on_the_broker_and_others_alone(
    tmp_path: Path, server: Mosquitto
) -> None:
    config = configuration(tmp_path, server.port, source='device = "no such microphone"')
    server.publish("vser/v1/test/earlier/state", '{"schema": "vser.state/1"}', retain=True)
    theirs = {"vser/v1/other/status", "homeassistant/device/other/config"}
    for topic in theirs:
        server.publish(topic, "theirs", retain=True)
    wanted = {
        "vser/v1/test/status", "vser/v1/test/bedroom/state", "vser/v1/test/bedroom/health",
        "homeassistant/device/test/config", "homeassistant/device/test/bedroom/config",
    }  # fmt: skip
    with daemon(config) as process:
        wait_for(lambda: wanted <= retained(server), within=60, what="all is told")
        refused = vser_stream("purge", "--retained", "--yes", "--config", config)
        assert (refused.returncode, "stop it first" in refused.stderr) == (2, True)
        process.terminate()
        process.wait(20)
    done = vser_stream("purge", "--retained", "--yes", "--config", config)
    assert (done.returncode, done.stderr) == (0, "")
    assert "deleted on the broker" in done.stdout
    assert retained(server) == theirs


def test_what_the_access_list_keeps_is_named(tmp_path: Path) -> None:
    acl = "user box\ntopic readwrite vser/v1/test/#\n"
    with Mosquitto(tmp_path, users={"box": "pw"}, acl=acl) as broker:
        (tmp_path / "password").write_text("pw")
        config = configuration(tmp_path, broker.port)
        login = 'username = "box"\npassword_file = "password"\n[[sources]]'
        config.write_text(config.read_text().replace("[[sources]]", login))
        done = vser_stream("purge", "--retained", "--yes", "--config", config)
    assert done.returncode == 5
    assert "protects homeassistant/device/test/config" in done.stderr


def test_nothing_is_done_without_a_yes(tmp_path: Path) -> None:
    config = configuration(tmp_path, 1)
    done = vser_stream("purge", "--retained", "--config", config)
    assert done.returncode == 130
    both = vser_stream("purge", "--retained", "--all", "--config", config)
    assert (both.returncode, "only one of" in both.stderr) == (2, True)
