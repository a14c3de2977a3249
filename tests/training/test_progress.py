from __future__ import annotations

from vser_stream.training.progress import silent, tracked


def test_each_step_is_told_once_it_has_been_worked_on_and_not_before() -> None:
    told: list[tuple[str, int, int]] = []
    worked: list[str] = []
    for step in tracked("abc", "learn", total=3, progress=lambda *one: told.append(one)):
        assert told[-1] == ("learn", len(worked), 3)
        worked.append(step)
    assert worked == list("abc")
    assert told == [("learn", done, 3) for done in range(4)]


def test_whoever_stops_early_has_not_done_the_step_he_stopped_at() -> None:
    told: list[int] = []
    steps = tracked(range(10), "learn", total=10, progress=lambda _stage, done, _total: told.append(done))
    assert [next(steps), next(steps)] == [0, 1]
    steps.close()  # type: ignore[attr-defined]  # it is a generator, called an iterator
    assert told == [0, 1]


def test_nothing_to_do_is_told_as_nothing_done() -> None:
    told: list[tuple[str, int, int]] = []
    assert list(tracked([], "learn", total=0, progress=lambda *one: told.append(one))) == []
    assert told == [("learn", 0, 0)]
    assert list(tracked("ab", "learn", total=2, progress=silent)) == ["a", "b"]
