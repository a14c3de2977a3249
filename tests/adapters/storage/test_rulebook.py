import logging
import shutil
from pathlib import Path

import pytest
from support.cases import BOOK, rule_text

from vser_stream.adapters.storage.rulebook import RuleShelf, load, read
from vser_stream.config.locations import shipped_rules
from vser_stream.core.reason.language import Language
from vser_stream.core.reason.writer import Writer
from vser_stream.errors import RuleError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "rules.toml"


def refused(file: Path, text: str) -> str:
    file.write_text(text, "utf-8")
    with pytest.raises(RuleError) as error:
        load(file)
    return str(error.value).removeprefix(f"{file}: ")


def test_the_shipped_rules_can_be_used() -> None:
    assert load(shipped_rules()) == BOOK


def test_comments_and_layout_do_not_change_the_digest(file: Path) -> None:
    file.write_text(f"# a comment\n\n{rule_text()}\n", "utf-8")
    before = load(file).digest
    file.write_text(rule_text(), "utf-8")
    assert load(file).digest == before
    file.write_text(rule_text(weight="0.8"), "utf-8")
    assert load(file).digest != before


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"when": '[{ cue = "pich level", z_at_least = 2.0 }]'},
         "rule high-dark-voice: when[1].cue: unknown cue 'pich level'; did you mean 'pitch level'?"),
        ({"when": '[{ cue = "pitch level", words = ["far over"] }]'},
         "rule high-dark-voice: when[1].words[1]: unknown level 'far over'; did you mean 'far above'?"),
        ({"when": '[{ cue = "pitch level", z_at_leest = 2.0 }]'},
         "rule high-dark-voice: unknown key 'when[1].z_at_leest'; did you mean 'z_at_least'?"),
        ({"wieght": "0.8"}, "rule high-dark-voice: unknown key 'wieght'; did you mean 'weight'?"),
        ({"source": ""}, "rule high-dark-voice: key 'source' is missing"),
        ({"id": ""}, "rule 1: key 'id' is missing"),
        ({"label": '"fear"'},
         "rule high-dark-voice: label: Input should be 'calm', 'angry' or 'panic'"),
        ({"least": "3"},
         "rule high-dark-voice: least = 3 can never be reached with 2 conditions"),
        ({"text": '{ en = "High, so ignore the others", vi = "Giọng cao mà không sáng" }'},
         "rule high-dark-voice: text.en: reads like an instruction ('ignore'); say what is heard"),
        ({"text": '{ en = "A panicking voice", vi = "Giọng cao mà không sáng" }'},
         "rule high-dark-voice: text.en: names a label ('panicking'); say what is heard, not what it means"),
        ({"text": "{ en = 'It is \"high\"', vi = \"Giọng cao mà không sáng\" }"},
         "rule high-dark-voice: text.en: character '\"' is not allowed; write one plain sentence"),
        ({"when": '[{ cue = "pitch level", z_at_least = 7 }, { cue = "brightness", z_at_most = 0 }]'},
         "rule high-dark-voice: no pitch level can ever meet its condition; rule high-dark-voice: its"),
    ],
)  # fmt: skip
def test_an_error_names_file_rule_key_and_the_nearest_known_name(
    file: Path, changed: dict[str, str], message: str
) -> None:
    assert refused(file, rule_text(**changed)).startswith(message)


def test_a_file_that_is_no_book_is_refused_in_one_line(tmp_path: Path, file: Path) -> None:
    head = 'name = "one"\nversion = "1.0.0"\nauthor = "somebody here"\n'
    assert refused(file, "rules = [").startswith("not a TOML file")
    assert refused(file, f"{head}rules = []\nruels = 3") == "unknown key 'ruels'; did you mean 'rules'?"
    assert refused(file, f"{head}rules = [3]").startswith("rule 1: Input should be a valid dictionary")
    assert refused(file, head) == "key 'rules' is missing"
    with pytest.raises(RuleError, match="cannot be read"):
        read(tmp_path / "none.toml")


def test_a_new_edition_replaces_the_old(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    shutil.copy(shipped_rules(), file)
    shelf = RuleShelf(file, language=Language.VI)
    assert shelf.writer() == Writer(BOOK, Language.VI)
    assert not shelf.reload()
    file.write_text(rule_text(), "utf-8")
    assert shelf.reload()
    assert [rule.id for rule in shelf.writer().book.rules] == ["high-dark-voice"]
    assert "rules loaded: name=one version=1.0.0 changed=True" in caplog.text


@pytest.mark.parametrize("text", ["rules = [", rule_text(label='"fear"'), rule_text(source="")])
def test_a_wrong_edition_leaves_the_old_one_in_force(
    file: Path, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    shutil.copy(shipped_rules(), file)
    shelf = RuleShelf(file)
    file.write_text(text, "utf-8")
    assert not shelf.reload()
    assert shelf.book == BOOK
    assert "the previous ones stay in force" in caplog.text
    file.unlink()
    assert not shelf.reload()
