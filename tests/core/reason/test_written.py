from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from support.cases import BOOK, case, cases, cue
from support.decisions import decision

from vser_stream.core.reason.language import LABEL_WORDS, Language, nfc
from vser_stream.core.reason.rules import NO_RULES
from vser_stream.core.reason.written import Writer, chosen_cues, kind_of
from vser_stream.values import Case, Label, Probabilities, RationaleBy

CASE = case(
    cue("pitch level", 5.1, value=312.0, baseline=198.0),
    cue("brightness", -0.2, value=410.0, baseline=420.0),
    cue("loudness", 0.3, value=24.0, baseline=23.0),
)


def test_a_rationale_tells_the_cues_with_figures_and_the_rule_in_words() -> None:
    assert Writer(BOOK).write(CASE, Label.PANIC) == (
        "Pitch level (312 Hz, z +5.1) is far above this voice's usual 198 Hz. Besides, brightness (410 Hz, "
        "z -0.2) is near the usual 420 Hz; loudness (24.0 dB over floor, z +0.3) is near the usual 23.0 dB "
        "over floor; rule high-dark-voice: a voice that climbs high without gaining brightness is high from "
        "tension, not from force (and rule high-soft-voice)."
    )


def test_a_rationale_is_written_in_vietnamese_too() -> None:
    text = Writer(BOOK, Language.VI).write(CASE, Label.PANIC)
    assert text == nfc(text)
    assert text == (
        "Cao độ (312 Hz, z +5,1) cao hơn nhiều so với mức bình thường của giọng này 198 Hz. Ngoài ra, "
        "độ sáng của giọng (410 Hz, z -0,2) xấp xỉ mức bình thường 420 Hz; độ to (24,0 dB trên nền ồn, "
        "z +0,3) xấp xỉ mức bình thường 23,0 dB trên nền ồn; quy tắc high-dark-voice: giọng lên cao mà "
        "không sáng hơn là cao vì căng thẳng, không phải vì gắng sức (và quy tắc high-soft-voice)."
    )


def test_a_source_never_heard_calm_is_compared_with_most_voices() -> None:
    cold = case(*CASE.cues[:2])
    assert "the usual of most voices 198 Hz" in Writer(BOOK).write(cold, Label.PANIC)


def test_a_stronger_rule_for_another_label_is_not_kept_secret() -> None:
    text = Writer(BOOK).write(CASE, Label.ANGRY)
    assert text.endswith("; although rule high-dark-voice holds as well.")


def test_when_no_cue_speaks_for_it_the_classifier_is_named() -> None:
    flat = case(cue("pitch level", 0.2), cue("pauses", 0.1), book=NO_RULES)
    assert "the cues leave it open, the classifier (40.0 %) decides" in Writer().write(flat, Label.PANIC)


def test_without_cues_nothing_is_claimed() -> None:
    assert Writer().write(case(), Label.PANIC).startswith("No cue was measured;")


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
    said = "The classifier hears a scream, sobs or moans without words. Pitch level (312 Hz, z +5.1) is far "
    assert english.startswith(said)
    said = (
        "Bộ phân loại nghe thấy tiếng hét, khóc hoặc rên, không thành lời. Cao độ (312 Hz, z +5,1) cao hơn "
    )
    assert vietnamese.startswith(said)


def test_lively_sounds_are_told_as_what_they_are() -> None:
    heard = replace(CASE, probabilities=LAUGHTER)
    english, vietnamese = (Writer(BOOK, language).write(heard, Label.CALM) for language in Language)
    assert english.startswith("The classifier hears lively speech or a sound that calls for no help. ")
    assert vietnamese.startswith("Bộ phân loại nghe thấy lời nói sôi nổi hoặc âm thanh không cần giúp đỡ. ")


def test_what_is_a_voice_is_told_by_its_cues_alone() -> None:
    for label, probabilities in ((Label.CALM, SCREAM), (Label.PANIC, LAUGHTER), (Label.ANGRY, SCREAM)):
        assert "classifier hears" not in Writer(BOOK).write(replace(CASE, probabilities=probabilities), label)


def test_rationales_do_not_all_read_alike() -> None:
    alike = [case(cue("pitch level", 3.0, value=300 + n / 100), cue("pauses", 2.0)) for n in range(9)]
    assert len({Writer().write(of, Label.PANIC) for of in alike}) >= 3


def test_a_decision_gets_its_rules_and_rationale() -> None:
    bare = replace(decision(panic=0.9, calm=0.1), evidence=CASE.cues, rationale="")
    reasoned = Writer(BOOK).reasoned(bare)
    assert reasoned.rules == ("high-dark-voice", "high-soft-voice")
    assert reasoned.rationale.startswith("Pitch level")
    assert reasoned.rationale_by is RationaleBy.EVIDENCE
