import numpy as np
import pytest

from vser_stream.values import Block, Label, Probabilities


def test_a_tie_goes_to_the_more_urgent_label() -> None:
    assert Probabilities(calm=0.4, angry=0.2, panic=0.4).top is Label.PANIC
    assert Probabilities(calm=0.4, angry=0.4, panic=0.2).top is Label.ANGRY


def test_the_samples_of_a_block_cannot_be_changed() -> None:
    block = Block(pcm=np.zeros(3, np.int16), start=5, heard_at=0.0)
    assert block.end == 8
    with pytest.raises(ValueError, match="read-only"):
        block.pcm[0] = 1
