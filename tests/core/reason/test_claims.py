from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vser_stream.core.reason.claims import DIRECTIONS, FIGURE, Mention, clauses, mentions_in, phrase
from vser_stream.core.reason.language import TONGUES, Tongue
from vser_stream.core.scoring.descriptors import DESCRIPTORS, FORMER_NAMES, Descriptor


@pytest.mark.parametrize(
    ("text", "figures"),
    [
        ("pitch level 312 Hz, +3.1 SD", ["312", "+3.1"]),
        ("a minus sign \u22122,5 and a hyphen -2.5", ["\u22122,5", "-2.5"]),
        ("cao hơn 2,5.", ["2,5"]),
        ("at 12:30", ["12", "30"]),
        ("42% of it", ["42"]),
        ("v2, a1 and x3y are names", []),
        ("2nd and 3D", []),
        ("1.2.3 is a version", []),
        ("no figure", []),
    ],
)
def test_a_figure_is_a_number_that_stands_alone(text: str, figures: list[str]) -> None:
    assert FIGURE.findall(text) == figures


@given(st.floats(-999.0, 999.0).map(lambda value: round(value, 2)), st.sampled_from(".,"))
def test_every_figure_is_found_whole(value: float, decimal: str) -> None:
    told = f"{value:.2f}".replace(".", decimal)
    assert FIGURE.findall(f"pitch level is {told} semitones") == [told]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Pitch is high; jitter is low", ["Pitch is high", " jitter is low"]),
        ("Pitch is high. Jitter is low!", ["Pitch is high", " Jitter is low"]),
        ("Pitch 3.1 SD, jitter 2,5", ["Pitch 3.1 SD, jitter 2,5"]),
        ("level 3. Then", ["level 3", " Then"]),
        ("at 12:30, or 0.5", ["at 12:30, or 0.5"]),
        ("panic: pitch\nis high?!", ["panic", " pitch", "is high"]),
        (" ; . ", []),
        ("", []),
    ],
)
def test_a_statement_ends_with_its_sentence_and_not_with_a_decimal_point(text: str, parts: list[str]) -> None:
    assert list(clauses(text)) == parts


@given(st.text(max_size=80))
def test_no_clause_is_lost_or_made_up(text: str) -> None:
    rest = text
    for clause in clauses(text):
        before, found, rest = rest.partition(clause)
        assert found
        assert not any(letter.isalnum() for letter in before)
    assert not any(letter.isalnum() for letter in rest)


@pytest.mark.parametrize("descriptor", DESCRIPTORS, ids=lambda one: one.name)
@pytest.mark.parametrize("tongue", TONGUES.values(), ids=TONGUES)
def test_each_cue_is_found_by_its_name_in_each_language(descriptor: Descriptor, tongue: Tongue) -> None:
    name = descriptor.name
    said = tongue.cues[name]
    (mention,) = mentions_in(f"{said[:1].upper()}{said[1:]} 1")
    assert (mention.cue, mention.said.strip()) == (name, "1")


@pytest.mark.parametrize("former", FORMER_NAMES)
def test_a_cue_is_found_by_what_it_was_called_before(former: str) -> None:
    (mention,) = mentions_in(f"the {former} is high")
    assert mention.cue == FORMER_NAMES[former]


def test_the_longest_name_is_meant() -> None:
    assert [one.cue for one in mentions_in("pitch range up, pitch down")] == [
        "pitch variability",
        "pitch level",
    ]
    assert [one.cue for one in mentions_in("loudness trend")] == ["intensity trend"]


def test_a_name_inside_another_word_is_none() -> None:
    assert mentions_in("pitchfork, jittery, tempos") == ()
    assert mentions_in("") == mentions_in("nothing was measured") == ()


def test_what_is_said_of_a_cue_follows_its_name_up_to_the_next() -> None:
    first, second = mentions_in("pitch level is far above 198 Hz, brightness is near")
    assert first == Mention("pitch level", "  is far above 198 Hz, ", shared=False)
    assert second == Mention("brightness", "  is near", shared=False)


def test_before_the_first_name_the_words_belong_to_it_and_later_only_a_direction_does() -> None:
    first, second = mentions_in("a higher pitch than usual with raised the jitter")
    assert first.said.startswith("a higher ")
    assert "raised" not in first.said
    assert second.said.strip().startswith("raised the")


@pytest.mark.parametrize("between", [" and ", ", ", " as well as ", ", and ", " và ", " cũng như "])
def test_two_that_are_named_together_share_what_is_said_of_them(between: str) -> None:
    first, second = mentions_in(f"pitch level{between}jitter are high")
    assert first.shared
    assert not second.shared


@pytest.mark.parametrize("between", [" is low and ", ", near, ", " but ", " 3.1, "])
def test_two_of_which_something_else_is_said_share_nothing(between: str) -> None:
    assert not any(one.shared for one in mentions_in(f"pitch level{between}jitter are high"))


@pytest.mark.parametrize(
    ("said", "direction"),
    [
        ("is far above the usual", "up"),
        ("FASTER", "up"),
        ("cao hơn", "up"),
        ("below", "down"),
        ("thấp hơn", "down"),
        ("close to it", "near"),
        ("gần bằng", "near"),
        ("is there", None),
        ("highway, upper, lowland, nearly", None),
    ],
)
def test_a_direction_is_a_whole_word(said: str, direction: str | None) -> None:
    found = [name for name, pattern in DIRECTIONS.items() if pattern.search(said)]
    assert found == ([direction] if direction else [])


def test_a_phrase_matches_its_longest_words_and_takes_no_sign_for_a_pattern() -> None:
    pattern = phrase("a", "a b", "c.d")
    assert [found[0] for found in pattern.finditer("A b, a; cxd c.d ab")] == ["A b", "a", "c.d"]
