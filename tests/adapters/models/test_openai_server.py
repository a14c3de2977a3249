"""Over real HTTP: a small server that answers as the test wants, and llama.cpp's own."""

import math
import socket
import threading
import time
from pathlib import Path

import pytest
from support.broker import free_port
from support.cases import BOOK, case, cue
from support.chat_server import ChatServer, Request, chat_server, completion, llama_cpp_server
from support.gguf_file import tiny_chat_model
from support.patience import BUSY, HANGS

from vser_stream.adapters.models.http_json import ServerAddress, reaches
from vser_stream.adapters.models.openai_server import OpenAiServer
from vser_stream.config.schema import Egress
from vser_stream.core.reason.chat import Chat
from vser_stream.config.schema import Egress
from vser_stream.core.reason.language import Language
from vser_stream.config.schema import Egress
from vser_stream.core.reason.verify import check
from vser_stream.errors import ConfigError, ReasonerError
from vser_stream.values import Label, Probabilities

CASE = case(
    cue("pitch level", 3.0), cue("brightness", 0.2), cue("intensity trend", -2.0), cue("speech rate", 1.5)
)
WITHIN = 20.0
TRUE = "Pitch level is well above the usual and speech rate is somewhat above it."


def reasoner(server: ChatServer | str, **more: object) -> OpenAiServer:
    url = server if isinstance(server, str) else server.url
    return OpenAiServer(ServerAddress(url, **more), lambda: Chat(BOOK))  # type: ignore[arg-type] # keywords


def panicking(request: Request) -> Request:
    """An able server: it obeys a schema."""
    schema = request.get("response_format", {}).get("json_schema", {}).get("schema")
    if schema is None:
        return completion("Yes.")
    labels = schema["properties"]["label"]["enum"]
    rationale = f', "rationale": "{TRUE}"' if "rationale" in schema["properties"] else ""
    return completion(f'{{"label": "{labels[-1]}"{rationale}}}')


def test_what_a_server_enforces_is_found_out_and_used() -> None:
    with chat_server(panicking) as server:
        one = reasoner(server, model="some-model")
        one.prepare()
        server.requests.clear()
        assert one.judge(CASE, within=WITHIN) == Probabilities(calm=0.15, angry=0.15, panic=0.7)
        assert one.explain(CASE, Label.ANGRY, within=WITHIN) == TRUE
        assert [request["response_format"]["type"] for request in server.requests] == ["json_schema"] * 2
        assert {request["model"] for request in server.requests} == {"some-model"}
        assert "grammar" not in server.requests[0]


def test_only_figures_leave_the_process() -> None:
    with chat_server(panicking) as server, pytest.raises(ReasonerError):
        reasoner(server).explain(CASE, Label.PANIC, within=WITHIN)
    sent = server.requests[0]
    assert set(sent) == {"model", "temperature", "seed", "messages", "max_tokens"}
    assert [one["content"] for one in sent["messages"]] == [Chat(BOOK).system, Chat(BOOK).evidence(CASE)]


def test_a_server_that_enforces_nothing_is_still_understood() -> None:
    with chat_server(lambda _: completion(f'{{"label": "panic", "rationale": "{TRUE}"}}')) as server:
        one = reasoner(server)
        one.prepare()
        server.requests.clear()
        assert one.judge(CASE, within=WITHIN).top is Label.PANIC
        assert one.explain(CASE, Label.PANIC, within=WITHIN) == TRUE
        assert not {"response_format", "grammar", "logprobs"} & set(server.requests[0])
        with pytest.raises(ReasonerError, match="explains panic, not angry"):
            one.explain(CASE, Label.ANGRY, within=WITHIN)


def test_a_server_that_tells_chances_is_believed_to_that_degree() -> None:
    tokens = ['{"', "label", '":', ' "', "ang", "ry", '"}']

    def likely(request: Request) -> Request:
        if not request.get("logprobs"):
            return completion('{"label": "angry"}')
        told = [{"token": token, "logprob": 0.0, "top_logprobs": []} for token in tokens]
        told[4]["top_logprobs"] = [
            {"token": token, "logprob": math.log(chance)}
            for token, chance in (("ang", 0.5), ("pan", 0.3), ("c", 0.1), ("x", 0.1))
        ]
        return completion('{"label": "angry"}', logprobs={"content": told})

    with chat_server(likely) as server:
        one = reasoner(server)
        one.prepare()
        belief = one.judge(CASE, within=WITHIN)
    assert (belief.calm, belief.angry, belief.panic) == pytest.approx((1 / 9, 5 / 9, 3 / 9), abs=1e-3)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (500, "answers HTTP 500"),
        (503, "answers HTTP 503"),
        (401, "refuses the key"),
        (302, "redirects are not followed"),
        (b"<html>hello</html>", "does not answer in JSON"),
        (b"{}", "no chat completion"),
        (b"[]", "no chat completion"),
        (b"[" * 100_000, "does not answer in JSON"),
        (b"1" * 2**21, "sends an endless answer"),
        (completion({}), "no chat completion"),
        (completion([{"type": "text", "text": "x"}, 7]), "no chat completion"),
        (completion([{"type": "text", "text": 7}]), "no chat completion"),
        (b'{"choices": []}', "no chat completion"),
        (b'{"choices": [{"message": null}]}', "no chat completion"),
        (completion(""), "not the JSON object"),
        (completion("I think it is panic."), "not the JSON object"),
        (completion('{"label": "furious"}'), "not the JSON object"),
        (completion("[1]"), "not the JSON object"),
        (completion('{"label": "panic"} or {"label": "calm"}'), "they differ"),
        (completion('{"label": "panic"}', logprobs={"content": [{"token": 3}, 7, None]}), None),
        (completion('{"label": "panic"}', logprobs="high"), None),
        (completion('{"label": "panic"}', logprobs={"content": True}), None),
        (completion([{"type": "text", "text": '{"label": '}, {"type": "text", "text": '"panic"}'}]), None),
        (completion('```json\n{"label": "panic"}\n```'), None),
        (completion('<think>Well.</think>It is {"label": "PANIC"}, I think.'), None),
    ],
)
def test_nonsense_is_one_clear_error(answer: Request | bytes | int, message: str | None) -> None:
    with chat_server(lambda _: answer) as server:
        one = reasoner(server)
        if message is None:
            assert one.judge(CASE, within=WITHIN).top is Label.PANIC
            return
        with pytest.raises(ReasonerError, match=message) as told:
            one.judge(CASE, within=WITHIN)
    assert "\n" not in str(told.value)


def test_a_rationale_without_an_end_is_none() -> None:
    with (
        chat_server(
            lambda _: completion('{"label": "panic", "rationale": "Pitch level ' + "a" * 900)
        ) as server,
        pytest.raises(ReasonerError, match="not the JSON object"),
    ):
        reasoner(server).explain(CASE, Label.PANIC, within=WITHIN)


def test_a_server_that_is_down_is_said_to_be() -> None:
    with pytest.raises(ReasonerError, match="cannot be reached"):
        reasoner(f"http://127.0.0.1:{free_port()}/v1").judge(CASE, within=WITHIN)


def test_a_server_that_drips_is_cut_off_at_the_deadline() -> None:
    with chat_server(panicking) as server:
        server.drip = 0.2
        began = time.monotonic()
        with pytest.raises(ReasonerError, match=r"did not answer within|cannot be reached"):
            reasoner(server).judge(CASE, within=0.5)
        assert time.monotonic() - began < 2.0 * BUSY


def test_closing_frees_whoever_waits() -> None:
    asked, go = threading.Event(), threading.Event()

    def slow(_: Request) -> Request:
        asked.set()
        go.wait(20)
        return completion("")

    with chat_server(slow) as server:
        one = reasoner(server)
        heard: list[str] = []

        def wait() -> None:
            with pytest.raises(ReasonerError) as told:
                one.judge(CASE, within=60.0)
            heard.append(str(told.value))

        waiting = threading.Thread(target=wait)
        waiting.start()
        assert asked.wait(10)
        one.close()
        waiting.join(timeout=HANGS)
        go.set()
    assert heard


class TestDistance:
    @pytest.mark.parametrize(
        "url", ["http://192.168.1.7:8080/v1", "https://api.example.com/v1", "http://[2001:db8::1]/v1"]
    )
    def test_by_default_nothing_leaves_this_box(self, url: str) -> None:
        with pytest.raises(ConfigError, match='egress = "none"'):
            reasoner(url)

    @pytest.mark.parametrize("url", ["http://localhost:1/v1", "http://127.0.0.9:1/v1", "http://[::1]:1/v1"])
    def test_this_box_has_many_names(self, url: str) -> None:
        reasoner(url)

    @pytest.mark.parametrize(
        ("address", "egress", "near"),
        [
            ("127.0.0.1", "none", True),
            ("::ffff:127.0.0.1", "none", True),
            ("192.168.1.7", "none", False),
            ("192.168.1.7", "lan", True),
            ("10.1.2.3", "lan", True),
            ("::ffff:10.1.2.3", "lan", True),
            ("fd12::7", "lan", True),
            ("169.254.169.254", "lan", False),
            ("::ffff:169.254.169.254", "lan", False),
            ("fe80::1%eth0", "lan", False),
            ("fd00:ec2::254", "lan", False),
            ("100.64.0.1", "lan", False),
            ("0.0.0.0", "lan", False),  # noqa: S104 - of a peer
            ("::", "lan", False),
            ("64:ff9b::a01:203", "lan", False),
            ("2001:db8::1", "lan", False),
            ("8.8.8.8", "lan", False),
            ("8.8.8.8", "any", True),
        ],
    )
    def test_near_is_this_box_or_a_private_network_and_no_link_local_address(
        self, address: str, egress: Egress, *, near: bool
    ) -> None:
        assert reaches(address, egress) is near
        if not near:
            host = f"[{address}]" if ":" in address else address
            with pytest.raises(ConfigError, match="is outside what egress"):
                reasoner(f"http://{host}/v1", egress=egress)

    def test_no_packet_goes_to_a_name_that_leads_too_far(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def resolved(*_: object, **__: object) -> list[object]:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", 80))]

        monkeypatch.setattr(socket, "getaddrinfo", resolved)
        monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("it was connected to"))
        with pytest.raises(ConfigError, match='egress = "lan"'):
            reasoner("http://chat.example/v1", egress="lan").prepare()
        with pytest.raises(ReasonerError, match='egress = "lan"'):
            reasoner("http://chat.example/v1", egress="lan").judge(CASE, within=WITHIN)

    @pytest.mark.parametrize("secret", ["/v1?key=s3cret", "/v1#s3cret"])
    def test_a_key_does_not_belong_behind_the_address_either(self, secret: str) -> None:
        with pytest.raises(ConfigError, match="api_key_file") as told:
            reasoner(f"http://127.0.0.1:1{secret}")
        assert "s3cret" not in str(told.value)

    def test_a_key_does_not_belong_in_the_address(self) -> None:
        with pytest.raises(ConfigError, match="api_key_file") as told:
            reasoner("http://me:secret@127.0.0.1/v1")
        assert "secret" not in str(told.value)


class TestKey:
    def test_it_is_sent_and_never_shown(self, tmp_path: Path) -> None:
        (tmp_path / "key").write_text("s3cret\n")
        with chat_server(panicking) as server:
            one = reasoner(server, key_file=tmp_path / "key")
            one.prepare()
        assert set(server.keys) == {"Bearer s3cret"}
        assert "s3cret" not in repr(vars(one))

    def test_a_server_that_refuses_it_is_an_error_at_the_start(self) -> None:
        with chat_server(lambda _: 403) as server, pytest.raises(ConfigError, match="refuses the key"):
            reasoner(server).prepare()

    def test_a_file_that_cannot_be_read_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="cannot be read"):
            reasoner("http://127.0.0.1:1/v1", key_file=tmp_path / "nothing")


def test_llama_cpps_own_server_writes_only_what_is_true(tmp_path: Path) -> None:
    model = tiny_chat_model(tmp_path / "chat.gguf")
    with llama_cpp_server(model) as url:
        one = OpenAiServer(ServerAddress(url), lambda: Chat(BOOK, Language.VI))
        one.prepare()
        assert one.judge(CASE, within=60.0).confidence > 0.34
        rationale = one.explain(CASE, Label.PANIC, within=60.0)
    assert check(rationale, CASE, Label.PANIC, book=BOOK).faults == ()
