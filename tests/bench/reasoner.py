"""How fast a reasoner answers on one core: its label, and its label with a rationale.

``PYTHONPATH=tests python tests/bench/reasoner.py [--model FILE] [--big]``: the bundled reasoner or
FILE, made of random weights where neither is there; with ``--big`` also a model of the shape of
Qwen2.5-0.5B (random weights, Q4_0, 152k tokens), beside what a plain chat completion takes with it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from functools import partial
from pathlib import Path

import llama_cpp
import numpy as np
from numpy.typing import NDArray
from support.cases import BOOK, case, cue
from support.gguf_file import qwen_shape, tiny_specialist

from vser_stream.adapters.models.llama import LlamaReasoner, Weights
from vser_stream.config.locations import shipped_reasoner
from vser_stream.core.reason.chat import Chat
from vser_stream.core.reason.dialogue import General, Specialist
from vser_stream.core.scoring.descriptors import DESCRIPTORS
from vser_stream.runtime.reasoning.reasoners import bundled_weights
from vser_stream.values import Case, Probabilities

PATIENCE = 120.0
PLAIN_TOKENS = 64
"""What a plain completion is given; random weights would never stop."""


def main() -> None:
    """Print the tables."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--model", type=Path, help="GGUF that knows the bundled prompt")
    options.add_argument("--cases", type=int, default=300)
    options.add_argument("--big", action="store_true", help="also the shape of Qwen2.5-0.5B (1 GB of memory)")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if given.model is not None:
            weights = Weights(given.model)
        elif shipped_reasoner().is_dir():
            weights = bundled_weights(shipped_reasoner())
        else:
            weights = Weights(tiny_specialist(Path(folder) / "random-weights.gguf"))
        told = some_cases(given.cases)
        measure(weights.path.name, LlamaReasoner(weights, Specialist), told)
        if given.big:
            chat = Chat(BOOK)
            words = [chat.system, *map(chat.evidence, told), chat.grammar(told[0], told[0].probabilities.top)]
            path = qwen_shape(Path(folder) / "qwen2.5-0.5b-shape.gguf", texts=words)
            measure("Qwen2.5-0.5B shape", LlamaReasoner(Weights(path), partial(General, chat)), told[:8])
            plain(path, chat, told[:3])


def some_cases(n: int) -> list[Case]:
    """Ambiguous cases with all the cues there are."""
    chance = np.random.default_rng(0)
    return [
        Case(
            probabilities=_shares(chance.dirichlet((2, 2, 2))),
            second=_shares(chance.dirichlet((2, 2, 2))),
            cues=one.cues,
            fired=one.fired,
            recent=(),
            snr_db=20.0,
        )
        for one in (
            case(*(cue(each.name, round(chance.normal(0, 2), 1)) for each in DESCRIPTORS)) for _ in range(n)
        )
    ]


def _shares(values: NDArray[np.float64]) -> Probabilities:
    return Probabilities(*(float(value) for value in values))


def measure(name: str, reasoner: LlamaReasoner, cases: list[Case]) -> None:
    """Print how long labels and rationales take, each case as the daemon has it."""
    began = time.perf_counter()
    reasoner.prepare()
    ready = time.perf_counter() - began
    label, more, busy, words = [], [], [], 0
    for one in cases:
        worked, began = _worked(reasoner.pid), time.perf_counter()
        verdict = reasoner.judge(one, within=PATIENCE).top
        judged = time.perf_counter()
        words += len(reasoner.explain(one, verdict, within=PATIENCE).split())
        label.append(judged - began)
        more.append(time.perf_counter() - judged)
        busy.append(_worked(reasoner.pid) - worked)
    print(f"{name}: {len(cases)} cases, ready after {ready:.2f} s, child {_resident(reasoner.pid):.0f} MiB")
    show("label", label)
    show("rationale after it", more)
    show("both, CPU of the child", busy)
    print(f"  words of a rationale: {words / len(cases):.0f}")
    reasoner.close()


def plain(path: Path, chat: Chat, cases: list[Case]) -> None:
    """Print what the same model takes for a chat completion, each from the start."""
    first, total = [], []
    for one in cases:
        model = llama_cpp.Llama(str(path), n_ctx=4096, n_threads=1, n_threads_batch=1, verbose=False)
        messages = [
            {"role": "system", "content": chat.system},
            {"role": "user", "content": chat.evidence(one)},
        ]
        began = time.process_time()
        parts = model.create_chat_completion(messages=messages, max_tokens=PLAIN_TOKENS, stream=True)  # type: ignore[arg-type]  # TypedDicts
        times = [time.process_time() - began for _ in parts]
        first.append(times[1])  # the first part only names the role
        total.append(times[-1])
        model.close()
    print(f"plain chat completion with it: {len(cases)} cases, {PLAIN_TOKENS} tokens each")
    show("first token, CPU", first)
    show("whole answer, CPU", total)


def show(name: str, seconds: list[float]) -> None:
    """Print the percentiles of some times."""
    p50, p95, p99 = (1000.0 * float(np.percentile(seconds, percent)) for percent in (50, 95, 99))
    print(f"  {name:22} p50 {p50:8.1f} ms   p95 {p95:8.1f} ms   p99 {p99:8.1f} ms")


def _worked(pid: int | None) -> float:
    """CPU time of the child: what it would take on a box with nothing else to do (s)."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def _resident(pid: int | None) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096 / 2**20


if __name__ == "__main__":
    main()
