"""The time of work that a correction takes."""

from napari_necroseg.jobs.correct import Stopwatch


def test_pauses_are_no_work():
    now = [0.0]
    watch = Stopwatch(clock=lambda: now[0])
    watch.start()
    for seconds in (5, 10, 3600, 5):
        now[0] += seconds
        watch.touch()
    assert watch.lap() == 5 + 10 + 60 + 5
    now[0] += 7
    watch.touch()
    assert watch.stop() == 7
    now[0] += 7
    watch.touch()
    assert watch.stop() == 0
