from vser_stream.adapters.system.clock import RecordingClock


def test_time_in_a_recording_is_where_it_was_heard_to() -> None:
    clock = RecordingClock()
    clock.heard(1800.0)
    assert clock.wall() >= 1800.0
    clock.heard(2.0)  # another recording
    assert 2.0 <= clock.wall() < 1800.0


def test_what_lasts_goes_on_with_the_recording_and_from_one_to_the_next() -> None:
    clock = RecordingClock()
    times = [clock.monotonic()]
    for until in (600.0, 1800.0, 2.0, 3.0):
        clock.heard(until)
        times.append(clock.monotonic())
    assert times == sorted(times)
    assert times[2] - times[0] > 1800.0 - 600.0  # less what passed before the first look at it
    assert times[3] - times[2] < 600.0
