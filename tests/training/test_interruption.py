import os
import signal
import threading

import pytest

from components.errors import Interrupted
from components.training.interruption import StopRequest, graceful_shutdown

SIGNALS = [signal.SIGINT, signal.SIGTERM]


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_is_noted_and_the_second_stops_at_once(number: signal.Signals) -> None:
    with graceful_shutdown() as stop:
        assert not stop.requested
        os.kill(os.getpid(), number)
        assert stop.requested
        with pytest.raises(Interrupted, match="at once"):
            os.kill(os.getpid(), number)


def test_one_signal_after_the_other_kind_stops_too() -> None:
    with graceful_shutdown():
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(Interrupted):
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize("error", [None, ValueError, Interrupted])
def test_handlers_come_back_however_the_work_ends(error: type[BaseException] | None) -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    try:
        with graceful_shutdown():
            assert [signal.getsignal(number) for number in SIGNALS] != before
            if error:
                raise error
    except (ValueError, Interrupted):
        pass
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_a_second_training_begins_unasked() -> None:
    with graceful_shutdown():
        os.kill(os.getpid(), signal.SIGTERM)
    with graceful_shutdown() as stop:
        assert not stop.requested


def test_outside_the_main_thread_nothing_changes() -> None:
    seen: list[StopRequest] = []
    before = [signal.getsignal(number) for number in SIGNALS]

    def work() -> None:
        with graceful_shutdown() as stop:
            assert [signal.getsignal(number) for number in SIGNALS] == before
            seen.append(stop)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert [stop.requested for stop in seen] == [False]
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_being_interrupted_is_no_error_that_could_be_handled() -> None:
    assert not issubclass(Interrupted, Exception)
