from __future__ import annotations

from pathlib import Path

import pytest
from support.turn_model import whole_model

from vser_stream.adapters.models.onnx_graph import open_graph, verified
from vser_stream.errors import ModelError


def test_a_graph_runs_on_one_thread_and_8_bit_sums_do_not_overflow() -> None:
    options = open_graph(whole_model(), name="graph").get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (1, 1)
    assert options.get_session_config_entry("session.x64quantprecision") == "1"


@pytest.mark.parametrize("content", [b"", b"\x00" * 50, b"no graph at all"])
def test_what_is_no_graph_is_one_clear_line(content: bytes) -> None:
    with pytest.raises(
        ModelError, match=r"^mine.onnx: is not an ONNX graph that onnxruntime .* can run; copy"
    ):
        open_graph(content, name="mine.onnx")


def test_a_file_is_read_only_if_somebody_vouches_for_it(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a")
    sha256 = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
    assert verified(tmp_path / "a", sha256) == b"a"
    for other in (sha256.upper(), sha256[:-1], None):
        with pytest.raises(ModelError, match="a: is not the file that was trained"):
            verified(tmp_path / "a", other)
    with pytest.raises(ModelError, match="b: cannot be read"):
        verified(tmp_path / "b", sha256)
