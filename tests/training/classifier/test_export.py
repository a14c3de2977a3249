from __future__ import annotations

import hashlib
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from support.second_look import second_look
from support.tables import invented

from vser_stream.adapters.models.onnx_second_look import look_of
from vser_stream.errors import ModelError
from vser_stream.training.classifier.export import PARITY, ModelParts, check_parity, to_graph, write_folder
from vser_stream.training.classifier.fit import Fitted, fit
from vser_stream.training.classifier.material import Material
from vser_stream.training.classifier.second_look_graph import SecondLookMade
from vser_stream.training.data.histories import cold
from vser_stream.training.recipe import Recipe

TABLE = invented()


@pytest.fixture(scope="module")
def fitted() -> Fitted:
    return fit(Material(TABLE), Recipe(calibration_folds=2), seed=0)


def test_the_graph_answers_as_the_machines_do(fitted: Fitted) -> None:
    rows = cold(TABLE, fitted.prior)
    rows = np.concatenate([rows, 1e3 * rows[:5], np.zeros_like(rows[:1])]).astype(np.float32)
    assert np.ptp(fitted.answers(rows), axis=0).max() > 0.5
    assert check_parity(to_graph(fitted), rows, expected=fitted.answers(rows)) <= PARITY


def test_the_graph_is_as_sharp_as_the_recipe_says(fitted: Fitted) -> None:
    rows, sharp = cold(TABLE, fitted.prior), replace(fitted, sharpness=1.5)
    rows = np.asarray((rows + rows[::-1]) / 2, np.float32)  # between the labels
    assert check_parity(to_graph(sharp), rows, expected=sharp.answers(rows)) <= PARITY
    with pytest.raises(ModelError, match="largest difference"):
        check_parity(to_graph(sharp), rows, expected=fitted.answers(rows))


def test_what_an_older_runtime_reads_is_what_is_written(fitted: Fitted) -> None:
    model = onnx.load_from_string(to_graph(fitted))
    onnx.checker.check_model(model, full_check=True)
    assert (model.ir_version, [it.version for it in model.opset_import]) == (8, [17])


def test_a_graph_with_swapped_columns_is_refused(fitted: Fitted) -> None:
    rows = cold(TABLE, fitted.prior)
    graph = onnx.load_from_string(to_graph(fitted))
    (output,) = (out for out in graph.graph.output if out.name == "probabilities")
    for node in graph.graph.node:
        node.output[:] = ["unswapped" if name == "probabilities" else name for name in node.output]
    order = onnx.helper.make_tensor("order", onnx.TensorProto.INT64, [5], [0, 2, 1, 3, 4])
    graph.graph.initializer.append(order)
    graph.graph.node.append(onnx.helper.make_node("Gather", ["unswapped", "order"], [output.name], axis=1))
    with pytest.raises(ModelError, match=r"with another label.*install the version of onnxruntime"):
        check_parity(graph.SerializeToString(), rows, expected=fitted.answers(rows))


def test_a_graph_that_answers_no_numbers_is_refused(fitted: Fitted) -> None:
    rows = cold(TABLE, fitted.prior)[:3]
    with pytest.raises(ModelError):
        check_parity(to_graph(fitted), rows, expected=np.full((3, 5), np.nan))


def write(
    folder: Path,
    fitted: Fitted,
    card: str = "card",
    look: SecondLookMade | None = None,
) -> None:
    rows = cold(TABLE, fitted.prior)[:2]
    write_folder(
        folder,
        ModelParts(
            graph=b"graph",
            prior=fitted.prior,
            golden=(rows, fitted.answers(rows)),
            manifest={"name": folder.name},
            card=card,
            look=look,
        ),
    )


def test_a_model_is_replaced_whole_and_nothing_is_left_beside_it(tmp_path: Path, fitted: Fitted) -> None:
    (tmp_path / "models").mkdir()
    folder = tmp_path / "models" / "mine"
    for card in ("first", "second"):
        write(folder, fitted, card)
    names = ["MODEL_CARD.md", "SHA256SUMS", "manifest.toml", "svm.onnx", "vectors.npz"]
    assert sorted(path.name for path in folder.iterdir()) == names
    assert (folder / "MODEL_CARD.md").read_text() == "second"
    assert [path.name for path in folder.parent.iterdir()] == ["mine"]


def test_a_model_that_works_survives_a_write_that_fails(
    tmp_path: Path, fitted: Fitted, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "mine"
    write(folder, fitted, "works")
    with pytest.raises(UnicodeEncodeError):
        write(folder, fitted, "\ud800")
    assert (folder / "MODEL_CARD.md").read_text() == "works"
    # The last step of all: the swap itself.
    rename = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if self.name == "manifest.toml" and self.parent.name == "new":
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(ModelError, match=r"mine: cannot be written \(No space left on device\); make room"):
        write(folder, fitted, "lost")
    assert (folder / "MODEL_CARD.md").read_text() == "works"
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_what_a_model_of_0_1_0_held_beside_is_gone_after_training(tmp_path: Path, fitted: Fitted) -> None:
    write(tmp_path, fitted)
    (tmp_path / "second.onnx").touch()
    write(tmp_path, fitted)
    assert not (tmp_path / "second.onnx").exists()


def test_a_second_look_comes_with_its_notice_and_the_manifest_that_vouches_for_both(
    tmp_path: Path, fitted: Fitted
) -> None:
    look = second_look()
    write(tmp_path, fitted, look=look)
    manifest = tomllib.loads((tmp_path / "manifest.toml").read_text())
    assert manifest["second_look"] == look.section
    assert manifest["sha256"]["second_look.onnx"] == hashlib.sha256(look.graph).hexdigest()
    assert "OpenAI" in (tmp_path / "NOTICE").read_text()
    found = look_of(tmp_path, sums=manifest["sha256"], document=manifest)
    assert found is not None
    assert found.fusion == look.fusion
    write(tmp_path, fitted)
    assert not (tmp_path / "second_look.onnx").exists()
    assert not (tmp_path / "NOTICE").exists()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, fitted: Fitted) -> None:
    with pytest.raises(ModelError, match="absent/mine: cannot be written"):
        write(tmp_path / "absent" / "mine", fitted)
