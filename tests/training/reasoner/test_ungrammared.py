from __future__ import annotations

import pytest
import torch
from support.cases import BOOK, case, cue

from vser_stream.core.reason.language import Language
from vser_stream.core.reason.prompt import PREFIX, evidence, opening
from vser_stream.core.reason.writer import Writer
from vser_stream.training.reasoner.network import Network, Shape
from vser_stream.training.reasoner.tokenizer import BOS, id_of, make_tokenizer
from vser_stream.training.reasoner.ungrammared import FreeReasoner, Honesty, honesty
from vser_stream.values import LABELS, Label

CASE = case(cue("pitch level", 5.1), cue("brightness", -0.2), cue("pauses", -1.6), cue("breathiness", 2.2))
TRUE = Writer(BOOK).write(CASE, Label.PANIC)
TOKENIZER = make_tokenizer([TRUE, "and this is so."])


@pytest.fixture(scope="module")
def reasoner() -> FreeReasoner:
    torch.manual_seed(3)
    return FreeReasoner(Network(Shape(TOKENIZER.get_vocab_size())), TOKENIZER)


def test_its_belief_is_a_distribution_over_the_words_of_the_labels(reasoner: FreeReasoner) -> None:
    found = reasoner.judge(CASE, within=1.0)
    assert sum(found.of(label) for label in LABELS) == pytest.approx(1.0)
    told = [id_of(TOKENIZER, BOS), *TOKENIZER.encode(PREFIX + evidence(CASE)).ids]
    with torch.no_grad():
        logits = reasoner.network.logits(reasoner.network(torch.tensor([told]))[0, -1])
    words = [id_of(TOKENIZER, f" {label.value}") for label in LABELS]
    expected = torch.softmax(logits[words], dim=0).tolist()
    assert [found.of(label) for label in LABELS] == pytest.approx(expected, abs=1e-6)


def test_it_says_the_most_probable_words_and_the_same_ones_each_time(reasoner: FreeReasoner) -> None:
    said = [reasoner.explain(CASE, Label.PANIC, within=1.0) for _ in range(2)]
    assert said[0] == said[1]
    told = [id_of(TOKENIZER, BOS)]
    told += TOKENIZER.encode(PREFIX + evidence(CASE) + opening(CASE, Label.PANIC, Language.EN)).ids
    with torch.no_grad():
        first = int(reasoner.network.logits(reasoner.network(torch.tensor([told]))[0, -1]).argmax())
    word = TOKENIZER.decode([first]).strip().lower()
    assert said[0].lower().startswith(word[:1])


def test_without_an_end_it_stops_all_the_same() -> None:
    class Counting(Network):
        asked = 0

        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            self.asked += 1
            return super().forward(tokens)

        def logits(self, stream: torch.Tensor) -> torch.Tensor:
            return torch.arange(self.shape.vocabulary, 0.0, -1.0).expand(*stream.shape[:-1], -1)

    network = Counting(Shape(TOKENIZER.get_vocab_size()))
    FreeReasoner(network, TOKENIZER).explain(CASE, Label.CALM, within=1.0)
    assert network.asked == 64


def test_what_is_true_is_wholly_honest() -> None:
    found = honesty([TRUE, TRUE], [CASE, CASE], [Label.PANIC] * 2, book=BOOK)
    assert (found.rationales, found.faithful, found.passed, found.leaks) == (2, 1.0, 1.0, 0.0)
    assert found.words == len(TRUE.split())
    assert found.coverage > 0.0


def test_a_wrong_claim_and_a_word_for_the_label_are_counted() -> None:
    wrong = TRUE.replace("+5.1", "+9.9")
    assert wrong != TRUE
    leaking = f"{TRUE[:-1]} in panic."
    found = honesty([TRUE, wrong, leaking, TRUE], [CASE] * 4, [Label.PANIC] * 4, book=BOOK)
    assert found.passed == 0.5
    assert found.leaks == 0.25
    assert 0.5 < found.faithful < 1.0


def test_of_nothing_nothing_is_wrong_and_nothing_right() -> None:
    assert honesty([], [], [], book=BOOK) == Honesty(
        rationales=0, faithful=1.0, passed=0.0, coverage=0.0, leaks=0.0, words=0.0
    )


def test_each_rationale_needs_its_case() -> None:
    with pytest.raises(ValueError, match="zip"):
        honesty([TRUE], [], [Label.PANIC], book=BOOK)
