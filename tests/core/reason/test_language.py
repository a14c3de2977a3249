import pytest

from vser_stream.core.reason.language import LABEL_WORDS, TONGUES, Language, figure, nfc, signed
from vser_stream.core.scoring.descriptors import DESCRIPTORS
from vser_stream.values import LEVELS


@pytest.mark.parametrize("language", Language)
def test_every_language_has_a_word_for_every_cue_level_and_unit(language: Language) -> None:
    tongue = TONGUES[language]
    assert set(tongue.cues) == {one.name for one in DESCRIPTORS}
    assert set(tongue.levels) == set(LEVELS)
    assert set(tongue.units) == {one.unit for one in DESCRIPTORS}


@pytest.mark.parametrize("language", Language)
def test_no_two_cues_or_levels_share_a_word_and_all_are_one_spelling(language: Language) -> None:
    tongue = TONGUES[language]
    for words in (tongue.cues, tongue.levels):
        assert len(set(words.values())) == len(words)
    texts = [
        *tongue.cues.values(),
        *tongue.levels.values(),
        *tongue.units.values(),
        tongue.own,
        tongue.common,
    ]
    assert [nfc(text) for text in texts] == texts
    assert not [text for text in texts if LABEL_WORDS.search(text)]


@pytest.mark.parametrize(
    ("value", "english", "vietnamese"),
    [(312.4, "312", "312"), (-42.25, "-42.2", "-42,2"), (3.456, "3.46", "3,46"), (0.0, "0.00", "0,00")],
)
def test_a_figure_has_three_digits_and_the_decimal_sign_of_its_language(
    value: float, english: str, vietnamese: str
) -> None:
    assert figure(value) == english
    assert figure(value, TONGUES[Language.VI]) == vietnamese


def test_no_distance_is_minus_nothing() -> None:
    assert [signed(z) for z in (-0.04, 0.0, 2.25, -1.0)] == ["+0.0", "+0.0", "+2.2", "-1.0"]


@pytest.mark.parametrize(
    "text",
    ["Angrily spoken", "a PANICKED voice", "she was scared", "giọng hoảng hốt", "đang tức giận", "bình tĩnh"],
)
def test_names_and_paraphrases_of_labels_are_known(text: str) -> None:
    assert LABEL_WORDS.search(text)
