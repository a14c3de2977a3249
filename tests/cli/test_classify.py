import csv
from pathlib import Path

import numpy as np
import pytest
from support.audio import voice, write
from support.command import vser_stream

OUTPUT = [
    "path",
    "label",
    "p_calm",
    "p_angry",
    "p_panic",
    "confidence",
    "escalated",
    "decided_by",
    "rationale",
]
HEADER = "path,speaker,role\n"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    for number in range(4):
        write(folder / f"{number}.wav", voice(1.5, seed=number))
    write(folder / "silent.wav", np.zeros(16_000, np.int16))
    (folder / "broken.wav").write_bytes(b"RIFFxxxx")
    rows = "0.wav,a,enrol\n1.wav,a,test\n2.wav,a,test\n3.wav,b,test\nsilent.wav,b,test\n"
    (folder / "manifest.csv").write_text(HEADER + rows)
    return folder


def classified(corpus: Path, output: Path, *options: str) -> list[dict[str, str]]:
    done = vser_stream(
        "classify", "--manifest", corpus / "manifest.csv", "--root", corpus, "--output", output, *options
    )
    assert done.returncode == 0, done.stderr
    with output.open(newline="") as file:
        table = csv.DictReader(file)
        rows = list(table)
        assert table.fieldnames == OUTPUT
    return rows


@pytest.mark.parametrize("baseline", ["none", "enrol", "running"])
def test_there_is_a_full_row_for_each_test_row_in_order(corpus: Path, tmp_path: Path, baseline: str) -> None:
    rows = classified(corpus, tmp_path / "out.csv", "--baseline", baseline)
    assert [row["path"] for row in rows] == ["1.wav", "2.wav", "3.wav", "silent.wav"]
    for row in rows:
        total = sum(float(row[name]) for name in ("p_calm", "p_angry", "p_panic"))
        assert total == pytest.approx(1.0, abs=1e-5)
        assert float(row["confidence"]) == pytest.approx(float(row[f"p_{row['label']}"]))
        assert row["escalated"] in {"true", "false"}
        assert row["rationale"]


def test_enrolment_moves_its_own_speaker_and_nobody_else(corpus: Path, tmp_path: Path) -> None:
    cold = {row["path"]: row for row in classified(corpus, tmp_path / "cold.csv", "--baseline", "none")}
    warm = {row["path"]: row for row in classified(corpus, tmp_path / "warm.csv", "--baseline", "enrol")}
    assert warm["1.wav"] != cold["1.wav"]
    assert warm["3.wav"] == cold["3.wav"]


def test_only_the_hybrid_decider_falls_back(corpus: Path, tmp_path: Path) -> None:
    by_svm = classified(corpus, tmp_path / "svm.csv", "--decider", "svm")
    hybrid = classified(corpus, tmp_path / "hybrid.csv", "--decider", "hybrid")
    assert {row["decided_by"] for row in by_svm} == {"svm"}
    for row in hybrid:
        assert row["decided_by"] == ("fallback" if row["escalated"] == "true" else "svm")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("path,speaker\n1.wav,a\n", "column(s) role missing"),
        (HEADER, "has no rows"),
        (HEADER + "1.wav,a,train\n", "line 2: role 'train' is neither enrol nor test"),
        (HEADER + "1.wav,a,test\nabsent.wav,a,test\n", "1 file(s) not under"),
        (HEADER + "1.wav\n", "path or speaker is empty"),
    ],
)
def test_a_manifest_that_cannot_be_used_is_one_line_and_writes_nothing(
    corpus: Path, tmp_path: Path, text: str, says: str
) -> None:
    manifest, output = tmp_path / "m.csv", tmp_path / "out.csv"
    manifest.write_text(text)
    output.write_text("an earlier result")
    done = vser_stream("classify", "--manifest", manifest, "--root", corpus, "--output", output)
    assert done.returncode == 4
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
    assert output.read_text() == "an earlier result"


def test_a_broken_recording_is_named_and_the_others_are_judged(corpus: Path, tmp_path: Path) -> None:
    manifest, output = tmp_path / "m.csv", tmp_path / "out.csv"
    manifest.write_text(HEADER + "broken.wav,a,test\n1.wav,a,test\n")
    done = vser_stream("classify", "--manifest", manifest, "--root", corpus, "--output", output)
    assert done.returncode == 4
    assert "broken.wav" in done.stderr
    assert [line.split(",")[0] for line in output.read_text().splitlines()[1:]] == ["1.wav"]
