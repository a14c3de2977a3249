"""The daemon with a second look: it decides with the SVM, is counted, and can be left out."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.broker import Mosquitto
from support.daemon import configuration
from support.panic_model import panic_model
from support.panics import panics
from support.second_look import add_second_look, second_look

from vser_stream.config.loader import load
from vser_stream.core.scoring.second_look import Fusion
from vser_stream.runtime.agent import Agent
from vser_stream.runtime.overview import Overview

CONVINCED = Fusion(first=0.1, look=2.0, bias=(0.0,) * 5)
PATIENT = "[second_look]\nwithin = 60"
"""However busy the box is."""


async def heard(folder: Path, more: str) -> tuple[str | None, dict[str, float]]:
    """What the source was last, and what became of the second looks, after a recording of one panic."""
    recording = panics(folder / "cry.wav", 1, quiet=1.0)
    with Mosquitto(folder) as broker:
        config = configuration(
            folder, broker.port, source=f'file = "{recording}"', more=f'model = "model"\n{more}'
        )
        agent = Agent(load(config))
        await agent.run()
        overview = Overview(agent.parts)
        (listener,) = overview.listeners
        counted = [one for one in await overview.readings() if one.name == "vser_second_looks_total"]
        return listener.state().label, {one.labels["outcome"]: one.value for one in counted}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """To this model every voice is panic, and to its second look laughter."""
    add_second_look(panic_model(tmp_path / "model"), second_look(answer="other", fusion=CONVINCED))
    return tmp_path


async def test_what_the_second_look_hears_decides_with_the_svm_and_is_counted(folder: Path) -> None:
    label, looks = await heard(folder, PATIENT)
    assert label == "calm"
    assert looks["answered"] >= 1
    assert looks["late"] == 0


async def test_where_it_is_switched_off_the_svm_decides(folder: Path) -> None:
    label, looks = await heard(folder, "[second_look]\nenabled = false")
    assert label == "panic"
    assert looks == {"answered": 0, "late": 0}
