from __future__ import annotations

import contextlib
import hashlib
import tomllib
from pathlib import Path

import numpy as np
import onnx
import pytest
from support.flips import flipped
from support.second_look import add_second_look, second_look
from support.tables import invented
from tomli_w import dumps

from vser_stream.adapters.models.manifest import SUMS, sums_of
from vser_stream.adapters.models.onnx_svm import FILES, OnnxSvm
from vser_stream.config.locations import shipped_model, shipped_reasoner
from vser_stream.core.alarm.threshold_curve import Curve
from vser_stream.core.scoring.baseline import MODEL_INPUT
from vser_stream.errors import ModelError, ModelMismatchError
from vser_stream.training.classifier.export import ModelParts, to_graph, write_folder
from vser_stream.training.classifier.fit import Fitted, fit
from vser_stream.training.data.histories import Rows, cold
from vser_stream.training.recipe import Recipe
from vser_stream.training.classifier.material import Material
from vser_stream.values import ANSWERS, Label, Probabilities

TABLE = invented()
FEATURES = "f" * 64
MANIFEST = {
    "name": "mine",
    "version": "1",
    "features": FEATURES,
    "labels": list(ANSWERS),
    "escalation": {"default_share": 20, "below": {"10": 0.5, "20": 0.6}},
}


@pytest.fixture(scope="module")
def fitted() -> Fitted:
    return fit(Material(TABLE), Recipe(calibration_folds=2), seed=0)


@pytest.fixture(scope="module")
def rows(fitted: Fitted) -> Rows:
    return cold(TABLE, fitted.prior)


@pytest.fixture
def folder(tmp_path: Path, fitted: Fitted, rows: Rows) -> Path:
    write_folder(
        tmp_path / "mine",
        ModelParts(
            graph=to_graph(fitted),
            prior=fitted.prior,
            golden=(rows[:8], fitted.answers(rows[:8])),
            manifest=MANIFEST,
            card="card",
        ),
    )
    return tmp_path / "mine"


def change(folder: Path, name: str, content: bytes) -> None:
    """Replace a file and its sha256, as someone who knows the format would."""
    (folder / name).write_bytes(content)
    manifest = tomllib.loads((folder / "manifest.toml").read_text())
    manifest["sha256"][name] = hashlib.sha256(content).hexdigest()
    (folder / "manifest.toml").write_text(dumps(manifest))
    (folder / SUMS).write_text(sums_of((folder / "manifest.toml").read_bytes()))


def test_a_model_is_what_was_written(folder: Path, fitted: Fitted, rows: Rows) -> None:
    model = OnnxSvm.load(folder, features=FEATURES)
    assert (model.name, model.version, model.escalate_below) == ("mine", "1", 0.6)
    assert model.thresholds == {10: 0.5, 20: 0.6}
    assert model.sha256 == hashlib.sha256((folder / "manifest.toml").read_bytes()).hexdigest()
    assert model.manifest["labels"] == MANIFEST["labels"]
    for part in ("location", "scale", "weight"):
        assert np.array_equal(getattr(model.prior, part), getattr(fitted.prior, part))
    found = [model.score(row[np.newaxis]) for row in rows]
    assert np.array([[it.calm, it.angry, it.panic] for it in found]) == pytest.approx(
        fitted.judge(rows), abs=1e-4
    )
    assert [it.calm + it.angry + it.panic for it in found] == pytest.approx([1.0] * len(rows))
    both = model.score(rows[:2])
    assert both.answers == pytest.approx(Probabilities.mean(found[:2]).answers, abs=1e-6)


def five(inputs: int, *, answers: int = 5) -> bytes:
    """A graph that gives five answers for a row of zeros: odds of 1 to 5 for each in its order."""
    weights = np.zeros((inputs, answers), np.float32)
    bias = np.log(np.arange(1, answers + 1, dtype=np.float32))
    graph = onnx.helper.make_graph(
        [
            onnx.helper.make_node("Gemm", ["X", "weights", "bias"], ["odds"]),
            onnx.helper.make_node("Softmax", ["odds"], ["probabilities"]),
        ],
        "five",
        [onnx.helper.make_tensor_value_info("X", onnx.TensorProto.FLOAT, [None, inputs])],
        [onnx.helper.make_tensor_value_info("probabilities", onnx.TensorProto.FLOAT, [None, answers])],
        [onnx.numpy_helper.from_array(weights, "weights"), onnx.numpy_helper.from_array(bias, "bias")],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def write_five(folder: Path, fitted: Fitted, *, labels: list[str]) -> Path:
    rows = np.zeros((2, len(MODEL_INPUT)), np.float32)
    write_folder(
        folder,
        ModelParts(
            graph=five(rows.shape[1]),
            prior=fitted.prior,
            golden=(rows, np.tile(np.arange(1.0, 6.0) / 15.0, (2, 1))),
            manifest={**MANIFEST, "labels": labels},
            card="card",
        ),
    )
    return folder


def test_a_model_of_five_answers_is_folded_into_three(tmp_path: Path, fitted: Fitted) -> None:
    folder = write_five(tmp_path / "five", fitted, labels=list(ANSWERS))
    told = OnnxSvm.load(folder, features=FEATURES).score(np.zeros((1, len(MODEL_INPUT)), np.float32))
    assert [*told.by_label.values()] == pytest.approx([5 / 15, 2 / 15, 8 / 15])
    assert told.parts == pytest.approx({"other": 4 / 15, "wordless": 5 / 15})


def test_a_model_whose_answers_are_not_its_labels_is_refused(tmp_path: Path, fitted: Fitted) -> None:
    folder = write_five(tmp_path / "five", fitted, labels=["calm", "angry", "panic"])
    with pytest.raises(ModelError, match="gives 5 answers for 3 labels; copy the whole"):
        OnnxSvm.load(folder, features=FEATURES)


def with_curve(folder: Path, alarm: str) -> OnnxSvm:
    """The model after somebody wrote that into its manifest, with a fresh sum."""
    manifest = folder / "manifest.toml"
    manifest.write_text(f"{manifest.read_text()}\n{alarm}\n")
    (folder / SUMS).write_text(sums_of(manifest.read_bytes()))
    return OnnxSvm.load(folder, features=FEATURES)


def test_what_thresholds_cost_goes_with_the_model(folder: Path) -> None:
    assert OnnxSvm.load(folder, features=FEATURES).curves == {}
    model = with_curve(folder, "[alarm.panic]\nper_day = [12, 0.5]\ndistress = [3, 6.5]")
    assert model.curves == {Label.PANIC: Curve(per_day=(12, 0.5), distress=(3, 6.5))}


@pytest.mark.parametrize(
    "alarm",
    [
        "[alarm.panic]\nper_day = [0.5, 12]\ndistress = [3, 6.5]",
        "[alarm.calm]\nper_day = [12, 0.5]\ndistress = [3, 6.5]",
        '[alarm]\npanic = "quiet"',
    ],
)
def test_a_model_with_a_curve_that_is_none_is_refused(folder: Path, alarm: str) -> None:
    with pytest.raises(ModelError, match=r"is not the manifest of a model \(alarm.*copy the whole"):
        with_curve(folder, alarm)


def test_a_second_look_is_part_of_a_model_unless_it_is_not_wanted(folder: Path) -> None:
    assert OnnxSvm.load(folder, features=FEATURES).look is None
    look = second_look()
    add_second_look(folder, look)
    model = OnnxSvm.load(folder, features=FEATURES)
    assert model.look is not None
    assert model.look.fusion == look.fusion
    (folder / "second_look.onnx").unlink()
    assert OnnxSvm.load(folder, features=FEATURES, second_look=False).look is None
    with pytest.raises(ModelError, match=r"second_look.onnx: cannot be read"):
        OnnxSvm.load(folder, features=FEATURES)


def test_a_model_for_other_features_is_refused(folder: Path) -> None:
    with pytest.raises(
        ModelMismatchError, match=f"trained on features {FEATURES}, this build computes other"
    ):
        OnnxSvm.load(folder, features="other")


@pytest.mark.parametrize("name", ["manifest.toml", *FILES])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(
        ModelError, match=f"mine/{name}: cannot be read .*; copy the whole model folder again"
    ):
        OnnxSvm.load(folder, features=FEATURES)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"none/manifest.toml: cannot be read"):
        OnnxSvm.load(tmp_path / "none", features=FEATURES)


@pytest.mark.parametrize("name", FILES)
def test_a_changed_file_is_refused(folder: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(ModelError, match=f"mine/{name}: is not the file that was trained"):
        OnnxSvm.load(folder, features=FEATURES)


def test_a_truncated_graph_is_refused(folder: Path) -> None:
    change(folder, "svm.onnx", (folder / "svm.onnx").read_bytes()[:-1000])
    with pytest.raises(
        ModelError, match=r"mine/svm.onnx: is not an ONNX graph that onnxruntime .* can run; copy"
    ):
        OnnxSvm.load(folder, features=FEATURES)


def test_vectors_that_are_no_archive_are_refused(folder: Path) -> None:
    change(folder, "vectors.npz", (folder / "vectors.npz").read_bytes()[:100])
    with pytest.raises(ModelError, match="is not the vectors of a model"):
        OnnxSvm.load(folder, features=FEATURES)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name = ", "is not a TOML file"),
        ('name = "x"\n', "is not the manifest of a model"),
        (dumps({**MANIFEST, "sha256": 3}), "is not the manifest of a model"),
        (dumps({**MANIFEST, "escalation": {"default_share": 20, "below": {"x": 1}}}), "is not the manifest"),
        (
            dumps({**MANIFEST, "sha256": {}, "labels": ["angry", "calm", "panic"]}),
            "labels are not calm, angry, panic or calm, angry, panic, other, scream in this order",
        ),
        (
            dumps({**MANIFEST, "sha256": {}, "escalation": {"default_share": 5, "below": {"10": 0.5}}}),
            "has no threshold for its default share",
        ),
    ],
)
def test_a_bad_manifest_is_refused_in_one_line(folder: Path, text: str, message: str) -> None:
    (folder / "manifest.toml").write_text(text)
    with pytest.raises(ModelError, match=message) as caught:
        OnnxSvm.load(folder, features=FEATURES)
    assert "\n" not in str(caught.value)
    assert "copy the whole model folder again or train it anew" in str(caught.value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.1, 1.5, "0.5", True])
def test_a_threshold_that_is_no_probability_is_refused_whoever_wrote_it(folder: Path, value: object) -> None:
    text = (folder / "manifest.toml").read_text()
    said = str(value).lower() if not isinstance(value, str) else f'"{value}x"'
    changed = text.replace("20 = 0.6\n", f"20 = {said}\n")
    assert changed != text
    (folder / "manifest.toml").write_text(changed)
    (folder / SUMS).unlink()
    if value is True:  # pydantic takes it for 1.0, which escalates everything
        assert OnnxSvm.load(folder, features=FEATURES).escalate_below == 1.0
        return
    with pytest.raises(ModelError, match=r"escalation\.below\.20"):
        OnnxSvm.load(folder, features=FEATURES)


def test_a_bit_that_was_turned_over_in_what_vouches_for_a_model_is_noticed(folder: Path) -> None:
    for name in ("manifest.toml", SUMS):
        sound = (folder / name).read_bytes()
        for damaged in flipped(sound, times=300):
            (folder / name).write_bytes(damaged)
            with pytest.raises(ModelError) as caught:
                OnnxSvm.load(folder, features=FEATURES)
            assert str(caught.value).isprintable()
        (folder / name).write_bytes(sound)
    OnnxSvm.load(folder, features=FEATURES)


def test_without_sums_such_a_bit_is_noticed_or_harmless(folder: Path) -> None:
    (folder / SUMS).unlink()
    for damaged in flipped((folder / "manifest.toml").read_bytes(), times=300, seed=1):
        (folder / "manifest.toml").write_bytes(damaged)
        with contextlib.suppress(ModelError):
            assert 0.0 <= OnnxSvm.load(folder, features=FEATURES).escalate_below <= 1.0


@pytest.mark.parametrize("shipped", [shipped_model(), shipped_reasoner()])
def test_the_sums_of_the_shipped_folders_are_right(shipped: Path) -> None:
    assert (shipped / SUMS).read_text() == sums_of((shipped / "manifest.toml").read_bytes())


def rewrite_golden(folder: Path, golden: np.ndarray) -> None:
    with np.load(folder / "vectors.npz") as file:
        vectors = {**file, "golden_probabilities": golden}
    np.savez(folder / "vectors.npz", **vectors)
    change(folder, "vectors.npz", (folder / "vectors.npz").read_bytes())


def test_a_model_that_answers_its_golden_vectors_otherwise_is_refused(
    folder: Path, fitted: Fitted, rows: Rows
) -> None:
    rewrite_golden(folder, fitted.answers(rows[:8]) + 2e-3)
    with pytest.raises(ModelError, match=r"answers its golden vectors 2\.0e-03 off, over 0\.001"):
        OnnxSvm.load(folder, features=FEATURES)
    rewrite_golden(folder, np.full((8, len(ANSWERS)), np.nan))
    with pytest.raises(ModelError, match="answers its golden vectors nan off"):
        OnnxSvm.load(folder, features=FEATURES)


def test_golden_vectors_of_another_width_are_refused(folder: Path, rows: Rows) -> None:
    with np.load(folder / "vectors.npz") as file:
        vectors = {**file, "golden_inputs": rows[:8, :-1]}
    np.savez(folder / "vectors.npz", **vectors)
    change(folder, "vectors.npz", (folder / "vectors.npz").read_bytes())
    with pytest.raises(ModelError, match="does not accept its own golden vectors"):
        OnnxSvm.load(folder, features=FEATURES)
