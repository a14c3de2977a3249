import numpy as np

from vser_stream.training.evaluation.reasoning.label_leakage import blind_reading

SPEAKERS = np.array([f"s{number // 10}" for number in range(80)])
VERDICTS = np.arange(80) % 2


def test_reasons_that_differ_tell_the_verdict() -> None:
    said = [
        "Pitch is well above its usual." if verdict else "Pauses stay near their usual."
        for verdict in VERDICTS
    ]
    found = blind_reading(said, VERDICTS, SPEAKERS)
    assert (found.rationales, found.right, found.guessing) == (80, 1.0, 0.5)


def test_figures_and_names_of_rules_tell_it_nothing() -> None:
    said = [
        f"Pitch is {'9.5' if verdict else '1.2'}, by rule {'a-b' if verdict else 'c-d'}."
        for verdict in VERDICTS
    ]
    assert blind_reading(said, VERDICTS, SPEAKERS).right <= 0.5
