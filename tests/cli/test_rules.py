import json
from pathlib import Path

import pytest
from support.cases import BOOK, rule_text
from support.command import vser_stream

from vser_stream.config.locations import shipped_rules

EVIDENCE = [
    {"name": "pitch level", "value": 312.0, "unit": "Hz", "baseline": 198.0, "z": 5.1, "confidence": 0.8},
    {"name": "brightness", "value": 410.0, "unit": "Hz", "baseline": 420.0, "z": -0.2, "confidence": 0.8},
    {"name": "loudness", "value": 24.0, "unit": "dB", "baseline": 23.0, "z": 0.3, "confidence": 0.2},
]


@pytest.mark.parametrize("verb", ["lint", "test"])
def test_the_shipped_rules_are_good(verb: str) -> None:
    done = vser_stream("rules", verb)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(str(shipped_rules()))
    assert BOOK.digest[:12] in done.stdout
    facts = json.loads(vser_stream("rules", verb, "--json").stdout)
    assert facts == {"name": BOOK.name, "version": BOOK.version, "sha256": BOOK.digest, "problems": []}


def test_a_rule_that_cannot_be_used_is_one_line_and_exit_code_3(tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(rule_text(when='[{ cue = "pitch level", z_at_least = 9.0 }]'), "utf-8")
    done = vser_stream("rules", "lint", file, "--json")
    assert done.returncode == 3
    assert done.stderr.startswith(f"vser-stream: {file}: rule high-dark-voice: no pitch level can ever meet")
    assert len(json.loads(done.stdout)["problems"]) == 2


def test_a_rule_that_fails_its_own_example_is_named(tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(
        rule_text(silent='[{ cue = "pitch level", z = 3.0 }, { cue = "brightness", z = 0.0 }]'), "utf-8"
    )
    done = vser_stream("rules", "test", file)
    assert (done.returncode, done.stdout) == (3, "")
    assert "rule high-dark-voice: fires on its example 'silent'" in done.stderr


def test_explain_says_what_each_rule_means_in_either_language() -> None:
    english = json.loads(vser_stream("rules", "explain", "--json").stdout)["rules"]
    vietnamese = json.loads(vser_stream("rules", "explain", "--json", "--language", "vi").stdout)["rules"]
    assert [row["meaning"] for row in english] == [rule.text.en for rule in BOOK.rules]
    assert [row["meaning"] for row in vietnamese] == [rule.text.vi for rule in BOOK.rules]
    assert english[0]["when"] == "pitch level z ≥ 2; brightness z ≤ 0.5"
    table = vser_stream("rules", "explain").stdout
    assert all(rule.id in table for rule in BOOK.rules)


@pytest.mark.parametrize("document", [EVIDENCE, {"type": "utterance", "evidence": EVIDENCE}])
def test_explain_says_which_rules_fire_on_an_utterance_and_why_not_the_others(
    tmp_path: Path, document: object
) -> None:
    file = tmp_path / "evidence.json"
    file.write_text(json.dumps(document), "utf-8")
    done = vser_stream("rules", "explain", "--evidence", file, "--json")
    rows = {row["id"]: row for row in json.loads(done.stdout)["rules"]}
    assert [rule_id for rule_id, row in rows.items() if row["fires"]] == ["high-dark-voice"]
    assert rows["high-soft-voice"]["met"] == ["pitch level z ≥ 2"]
    assert rows["high-soft-voice"]["unmet"] == ["intensity z ≤ 0.5 (confidence only 0.2)"]


@pytest.mark.parametrize("text", ["", "[3]", '{"label": "calm"}', '[{"name": "pitch level"}]'])
def test_a_file_without_evidence_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "evidence.json"
    file.write_text(text, "utf-8")
    done = vser_stream("rules", "explain", "--evidence", file)
    assert done.returncode == 2
    assert "holds no evidence" in done.stderr
