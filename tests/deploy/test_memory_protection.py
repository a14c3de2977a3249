"""The whole daemon where no memory may be writable and executable, as the unit wants it.

Linux 6.3 or later offers that without systemd, as prctl(PR_SET_MDWE); children inherit it.
"""

import os
import subprocess
import sys
from pathlib import Path

from support.audio import voice
from support.broker import Mosquitto
from support.camera import camera
from support.daemon import Subscriber, configuration, wait_for
from support.gguf_file import tiny_specialist
from support.patience import HANGS
from support.sound_server import sound_server

PROTECTED = """
import ctypes, os, sys
PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN = 65, 1
assert ctypes.CDLL(None).prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) == 0, "needs Linux 6.3"
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


REASONER = """
import sys
from pathlib import Path
from support.cases import case, cue
from support.patience import HANGS
from vser_stream.adapters.models.llama import LlamaReasoner, Weights
from vser_stream.runtime.reasoning.reasoners import Specialist
from vser_stream.values import Label
reasoner = LlamaReasoner(Weights(Path(sys.argv[1])), Specialist)
told = case(cue("pitch level", 2.0), cue("speech rate", -1.0), cue("brightness", 1.5))
reasoner.prepare()
print(reasoner.judge(told, within=20.0), reasoner.explain(told, Label.PANIC, within=20.0), file=sys.stderr)
reasoner.close()
"""


def protected(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    """Python, with the protection."""
    command = [sys.executable, "-c", PROTECTED, *arguments]
    return subprocess.Popen(command, env=os.environ | environment, stderr=subprocess.PIPE, text=True)


def test_the_protection_bites() -> None:
    """A callback of cffi, as sounddevice's streams would use, is what it forbids."""
    with protected("-c", "import cffi; cffi.FFI().callback('void(void)', print)") as process:
        assert "Cannot allocate write+execute memory" in process.communicate(timeout=HANGS)[1]


def test_the_reasoner_judges_and_explains_under_it(tmp_path: Path) -> None:
    model = tiny_specialist(tmp_path / "model.gguf")
    tests = str(Path(__file__).parents[1])
    with protected("-c", REASONER, str(model), PYTHONPATH=tests) as process:
        _, told = process.communicate(timeout=HANGS)
    assert process.returncode == 0, told
    assert "Probabilities(" in told


def test_microphone_camera_model_broker_and_disk_work_under_it(tmp_path: Path) -> None:
    sound = tmp_path / "sound"
    sound.mkdir()
    speech = voice(8.0)
    with (
        Mosquitto(tmp_path) as broker,
        Subscriber(broker) as subscriber,
        camera(speech, tmp_path) as served,
        sound_server(sound) as server,
    ):
        more = (
            '[[sources]]\nname = "hall"\ndevice = "default"\n[publish]\nutterances = true\n[http]\nport = 1'
        )
        source = f'url = "{served.url("pcma")}"\n{more}'
        config = configuration(tmp_path, broker.port, source=source)
        process = protected("-m", "vser_stream", "run", "--config", str(config), PULSE_SERVER=server.address)
        try:
            wait_for(lambda: len(heard(subscriber)) == 2, within=90, what="both sources monitored")
            with server.play(speech):
                wait_for(lambda: len(judged(subscriber)) == 2, within=40, what="an utterance of each")
        finally:
            process.terminate()
            _, log = process.communicate(timeout=HANGS)
    assert process.returncode == 0, log
    assert "Traceback" not in log


def judged(subscriber: Subscriber) -> set[str]:
    return {one["source"] for one in subscriber.documents("utterance")}


def heard(subscriber: Subscriber) -> set[str]:
    return {one["source"] for one in subscriber.documents("health") if one["capture"] == "running"}
