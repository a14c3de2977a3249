from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from support.cases import BOOK, case, cases, cue
from support.decisions import decision

from vser_stream.core.reason.language import LABEL_WORDS, Language, nfc
from vser_stream.core.reason.rules import NO_RULES
from vser_stream.core.reason.writer import Writer, chosen_cues, kind_of
from vser_stream.values import Case, Label, Probabilities, RationaleBy

CASE = case(
    cue("pitch level", 5.1, value=312.0, baseline=198.0),
    cue("brightness", -0.2, value=410.0, baseline=420.0),
    cue("intensity", 0.3, value=24.0, baseline=23.0),
)


def test_a_rationale_tells_the_cues_with_figures_and_the_rule_in_words() -> None:
    assert Writer(BOOK).write(CASE, Label.PANIC) == (
        "Pitch level at 312 Hz, far above this speaker's usual 198 Hz (+5.1 SD). In addition, brightness at "
        "410 Hz, near the usual 420 Hz (-0.2 SD); intensity at 24.0 dB over the noise floor, near the usual "
        "23.0 dB (+0.3 SD); rule high-dark-voice: high pitch without a brighter voice comes from tension, "
        "not from vocal effort (also rule high-soft-voice)."
    )


def test_a_rationale_is_written_in_vietnamese_too() -> None:
    text = Writer(BOOK, Language.VI).write(CASE, Label.PANIC)
    assert text == nfc(text)
    assert text == (
        "Cao độ (312 Hz, +5,1 SD) cao hơn nhiều so với mức bình thường của người nói này là 198 Hz. "
        "Ngoài ra, độ sáng của giọng (410 Hz, -0,2 SD) xấp xỉ mức bình thường 420 Hz; cường độ (24,0 dB "
        "trên nền ồn, +0,3 SD) xấp xỉ mức bình thường 23,0 dB; quy tắc high-dark-voice: giọng lên cao mà "
        "không sáng hơn là do căng thẳng, không phải do gắng sức (cùng quy tắc high-soft-voice)."
    )


def test_a_source_never_heard_calm_is_compared_with_most_voices() -> None:
    cold = case(*CASE.cues[:2])
    assert "most speakers' usual 198 Hz" in Writer(BOOK).write(cold, Label.PANIC)


def test_a_stronger_rule_for_another_label_is_not_kept_secret() -> None:
    text = Writer(BOOK).write(CASE, Label.ANGRY)
    assert text.endswith("; however, rule high-dark-voice fired as well.")


def test_when_no_cue_speaks_for_it_the_classifier_is_named() -> None:
    flat = case(cue("pitch level", 0.2), cue("pauses", 0.1), book=NO_RULES)
    assert "acoustic cues are inconclusive, classified by the model (40.0 %)" in Writer().write(
        flat, Label.PANIC
    )


def test_without_cues_nothing_is_claimed() -> None:
    assert Writer().write(case(), Label.PANIC).startswith("No cue could be measured;")


@given(cases(), st.sampled_from(list(Label)), st.sampled_from(list(Language)))
def test_a_rationale_is_the_same_each_time_rests_on_two_kinds_and_names_no_label(
    of: Case, label: Label, language: Language
) -> None:
    writer = Writer(BOOK, language)
    assert writer.write(of, label) == writer.write(of, label)
    assert len({kind_of(one) for one in chosen_cues(of, label)}) > 1
    assert not LABEL_WORDS.search(writer.write(of, label))


SCREAM = Probabilities(calm=0.1, angry=0.1, panic=0.8, wordless=0.7)
LAUGHTER = Probabilities(calm=0.8, angry=0.1, panic=0.1, other=0.7)


def test_panic_without_words_is_told_as_what_it_is() -> None:
    heard = replace(CASE, probabilities=SCREAM)
    english, vietnamese = (Writer(BOOK, language).write(heard, Label.PANIC) for language in Language)
    said = "Classified as a wordless scream, sobbing or moaning. Pitch level at 312 Hz, far above this "
    assert english.startswith(said)
    said = "Được phân loại là tiếng hét, khóc hoặc rên không thành lời. Cao độ (312 Hz, +5,1 SD) cao hơn "
    assert vietnamese.startswith(said)


def test_lively_sounds_are_told_as_what_they_are() -> None:
    heard = replace(CASE, probabilities=LAUGHTER)
    english, vietnamese = (Writer(BOOK, language).write(heard, Label.CALM) for language in Language)
    assert english.startswith("Classified as lively speech or a harmless sound. ")
    assert vietnamese.startswith("Được phân loại là lời nói sôi nổi hoặc âm thanh vô hại. ")


def test_what_is_a_voice_is_told_by_its_cues_alone() -> None:
    for label, probabilities in ((Label.CALM, SCREAM), (Label.PANIC, LAUGHTER), (Label.ANGRY, SCREAM)):
        assert "Classified as" not in Writer(BOOK).write(replace(CASE, probabilities=probabilities), label)


def test_rationales_do_not_all_read_alike() -> None:
    alike = [case(cue("pitch level", 3.0, value=300 + n / 100), cue("pauses", 2.0)) for n in range(9)]
    assert len({Writer().write(of, Label.PANIC) for of in alike}) >= 3


def test_a_decision_gets_its_rules_and_rationale() -> None:
    bare = replace(decision(panic=0.9, calm=0.1), evidence=CASE.cues, rationale="")
    reasoned = Writer(BOOK).reasoned(bare)
    assert reasoned.rules == ("high-dark-voice", "high-soft-voice")
    assert reasoned.rationale.startswith("Pitch level")
    assert reasoned.rationale_by is RationaleBy.EVIDENCE
