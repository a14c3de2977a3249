from vser_stream.core.reason.breaker import FAILURES, LONGEST, SHORTEST, Breaker, BreakerState


def test_a_single_failure_is_forgiven() -> None:
    breaker = Breaker().failed(10.0)
    assert breaker.state is BreakerState.CLOSED
    assert breaker.answered() == Breaker()


def test_failures_in_a_row_open_it() -> None:
    breaker = Breaker()
    for _ in range(FAILURES):
        breaker = breaker.failed(10.0)
    assert (breaker.state, breaker.until) == (BreakerState.OPEN, 10.0 + SHORTEST)


def test_what_is_broken_opens_it_at_once() -> None:
    assert Breaker().failed(10.0, broken=True).state is BreakerState.OPEN


def test_each_failed_probe_doubles_the_rest_up_to_a_limit() -> None:
    breaker, rests = Breaker(), []
    for _ in range(12):
        breaker = breaker.failed(100.0, broken=True)
        rests.append(breaker.until - 100.0)
        breaker = breaker.prepared()
        assert breaker.state is BreakerState.HALF_OPEN
    assert rests[:4] == [SHORTEST, 2 * SHORTEST, 4 * SHORTEST, 8 * SHORTEST]
    assert rests[-1] == LONGEST


def test_one_failure_while_it_is_tried_opens_it_again() -> None:
    probing = Breaker().failed(10.0, broken=True).prepared()
    assert probing.failed(20.0).state is BreakerState.OPEN


def test_an_answer_closes_it() -> None:
    assert Breaker().failed(10.0, broken=True).prepared().answered() == Breaker()
