"""Whatever is given to rescore, it answers in one line."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vser_stream.adapters.models.onnx_svm import OnnxSvm
from vser_stream.cli import rescore as verb
from vser_stream.config.locations import shipped_model
from vser_stream.core.wire.audit_record import GENESIS, RECORD, canonical, chained
from vser_stream.errors import DataError, UserError
from vser_stream.runtime.build import load_model


@pytest.fixture(scope="module")
def svm() -> OnnxSvm:
    return load_model(shipped_model())


def row(*numbers: float) -> str:
    return base64.b64encode(np.array(numbers, "<f4").tobytes()).decode()


SAID = {"calm": 0.2, "angry": 0.3, "panic": 0.5}


@pytest.mark.parametrize(
    "scored",
    [
        None,
        [],
        "x",
        {"rows": [], "probabilities": SAID},
        {"rows": [row(1.0, 2.0)], "probabilities": SAID},
        {"rows": [row(1.0), row(1.0, 2.0)], "probabilities": SAID},
        {"rows": [row(*[float("nan")] * 307)], "probabilities": SAID},
        {"rows": ["="], "probabilities": SAID},
        {"rows": [5], "probabilities": SAID},
        {"rows": [row(*[0.0] * 307)], "probabilities": []},
        {"rows": [row(*[0.0] * 307)], "probabilities": {"calm": "x"}},
    ],
    ids=str,
)
def test_rows_that_no_model_takes_are_one_line(svm: OnnxSvm, scored: object) -> None:
    document: dict[str, Any] = {"versions": {"model": svm.identity}, "svm": scored}
    with pytest.raises(DataError):
        verb._answers(document, svm)  # noqa: SLF001 - the whole verb takes seconds for each


@pytest.mark.parametrize(
    "given", ["", "[]", "1", "{}", "[" * 99_999, '{"document": NaN}', '{"document": 1e999}']
)
def test_what_is_no_record_is_one_line(tmp_path: Path, given: str) -> None:
    (tmp_path / "record").write_text(given)
    with pytest.raises(UserError):
        verb._document(str(tmp_path / "record"), None)  # noqa: SLF001 - as above


def test_a_record_whose_chain_is_odd_is_one_line(tmp_path: Path) -> None:
    document = {"schema": RECORD, "text": "\ud800"}
    odd: list[object] = [5, None, [], "\ud800", GENESIS]
    for previous in odd:
        record: dict[str, object] = {"previous": previous, "hash": "x", "document": document}
        (tmp_path / "record").write_text(json.dumps(record))
        with pytest.raises(DataError):
            verb._document(str(tmp_path / "record"), None)  # noqa: SLF001 - as above
    sound = {"schema": RECORD}
    record = {"previous": GENESIS, "document": sound, "hash": chained(GENESIS, canonical(sound))}
    (tmp_path / "record").write_text(json.dumps(record))
    assert verb._document(str(tmp_path / "record"), None) == {"schema": RECORD}  # noqa: SLF001 - as above
