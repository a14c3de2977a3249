"""The topics are a contract, and no other module may know how one is built."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from vser_stream.core.wire import topics
from vser_stream.core.wire.topics import ANY, Topic
from vser_stream.values import MessageKind

PACKAGE = Path(topics.__file__).parents[2]


@pytest.mark.parametrize(
    ("topic", "words"),
    [
        (topics.status("home"), "vser/v1/home/status"),
        (topics.document("home", "bed", MessageKind.ALERT), "vser/v1/home/bed/alert"),
        (topics.document("home", "bed", MessageKind.UTTERANCE), "vser/v1/home/bed/utterance"),
        (topics.document("home", ANY, MessageKind.STATE), "vser/v1/home/+/state"),
        (topics.document("home", "bed", MessageKind.HEALTH), "vser/v1/home/bed/health"),
        (topics.selftest("home", "bed"), "vser/v1/home/bed/selftest"),
        (topics.command("home", "bed", "ack"), "vser/v1/home/bed/cmd/ack"),
        (topics.command("home", ANY, ANY), "vser/v1/home/+/cmd/+"),
        (topics.commands_below("home"), "vser/v1/home/+/cmd/#"),
        (topics.answers("home", "x"), "vser/v1/home/answers/x"),
        (topics.answers("home"), "vser/v1/home/answers/"),
        (topics.everything("home"), "vser/v1/home/#"),
        (topics.device("homeassistant", "home"), "homeassistant/device/home/config"),
        (topics.device("ha/x", "home", "bed"), "ha/x/device/home/bed/config"),
        (topics.home_assistant_status("ha/x"), "ha/x/status"),
    ],
)
def test_each_topic_is_the_one_of_the_contract(topic: str, words: str) -> None:
    assert topic == words


@pytest.mark.parametrize("kind", [kind for kind in MessageKind if kind is not MessageKind.ANSWER])
def test_what_is_built_says_what_it_was_built_of(kind: MessageKind) -> None:
    if kind is MessageKind.STATUS:
        assert topics.parse(topics.status("home")) == Topic("home", None, "status")
    else:
        assert topics.parse(topics.document("home", "bed", kind)) == Topic("home", "bed", kind)


def test_a_command_is_no_document_of_that_name() -> None:
    assert topics.parse(topics.command("home", "bed", "state")) == Topic(
        "home", "bed", "state", is_command=True
    )
    assert topics.parse(topics.selftest("home", "bed")) == Topic("home", "bed", "selftest")


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "vser",
        "vser/v1",
        "vser/v1/home",
        "vser/v1/home/online",
        "vser/v2/home/status",
        "other/v1/home/bed/alert",
        "vser/v1/home/bed/cmd/ack/x",
        "vser/v1/home/bed/alert/x",
        "homeassistant/device/home/bed/config",
    ],
)
def test_what_nobody_here_says_means_nothing(topic: str) -> None:
    assert topics.parse(topic) is None


def test_only_what_is_ours_is_ours() -> None:
    assert [topics.is_ours(one) for one in ("vser/v1/home/status", "vserx/a", "homeassistant/status")] == [
        True,
        False,
        False,
    ]


def texts(path: Path) -> Iterator[str]:
    """Every text of a module that is no docstring."""
    tree = ast.parse(path.read_text())
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.value


def test_no_other_module_knows_how_a_topic_is_built() -> None:
    others = [path for path in sorted(PACKAGE.rglob("*.py")) if path.name != "topics.py"]
    assert len(others) > 100
    found = [
        f"{path.relative_to(PACKAGE)}: {text}"
        for path in others
        for text in texts(path)
        if any(part in text for part in ("vser/", "/cmd/", "/device/", "/answers/"))
    ]
    assert found == []
