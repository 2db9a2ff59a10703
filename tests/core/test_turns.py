"""Turns: one thread at a time, the next one afterwards, whatever the one before came to."""

import copy
import os
import pickle
import threading

import pytest

from cynet.core.turns import ADVICE, Turn, refuse_anothers


def elsewhere(work):
    """What work() gives, or raises, in another thread."""
    found = []

    def run():
        try:
            found.append(work())
        except RuntimeError as error:
            found.append(error)

    thread = threading.Thread(target=run, name="other")
    thread.start()
    thread.join(60)
    return found[0]


def alone(turn):
    with turn.alone("net"):
        return "in"


def test_a_second_thread_is_refused_while_the_first_is_in_and_comes_in_afterwards():
    turn = Turn()
    with turn.alone("net"):
        said = str(elsewhere(lambda: alone(turn)))
        assert "net: thread 'other' wanted a training pass while thread" in said
        assert alone(turn) == "in", "this thread may come in again"
        assert isinstance(elsewhere(lambda: alone(turn)), RuntimeError), "and is in still"
    assert elsewhere(lambda: alone(turn)) == "in"


@pytest.mark.parametrize("twin_of", [copy.copy, copy.deepcopy, lambda turn: pickle.loads(pickle.dumps(turn))])
def test_a_copy_begins_with_nobody_in(twin_of):
    turn = Turn()
    with turn.alone("net"):
        twin = twin_of(turn)
        assert type(twin) is Turn and elsewhere(lambda: alone(twin)) == "in"
        assert isinstance(elsewhere(lambda: alone(turn)), RuntimeError)


def test_an_error_gives_the_turn_back():
    turn = Turn()
    with pytest.raises(KeyError), turn.alone("net"):
        raise KeyError
    assert elsewhere(lambda: alone(turn)) == "in"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_child_by_fork_finds_nobody_in():
    turn, inside, go = Turn(), threading.Event(), threading.Event()

    def stay():
        with turn.alone("net"):
            inside.set()
            go.wait(60)

    thread = threading.Thread(target=stay)
    thread.start()
    try:
        assert inside.wait(60)
        child = os.fork()
        if not child:
            status = 1
            try:
                status = 0 if alone(turn) == "in" else 2
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        with pytest.raises(RuntimeError, match="is in one"):
            alone(turn)
    finally:
        go.set()
        thread.join()


def test_whose_pass_stands_in_the_way_is_named_and_of_one_that_ended_that_it_did():
    this = threading.current_thread()
    go = threading.Event()
    other = threading.Thread(target=go.wait, args=(60,), name="other")
    other.start()
    maker = other.ident
    for who, wait in (("'other'", False), ("that has ended", True)):
        if wait:
            go.set()
            other.join()
        with pytest.raises(RuntimeError) as caught:
            refuse_anothers("Linear", maker, {this.ident, maker})
        wanted = f"wanted the pass of thread {this.name!r}, got that of thread {who}, made since: {ADVICE}"
        assert str(caught.value) == f"Linear.backward: {wanted}"
    refuse_anothers("Linear", maker, {maker})  # this thread made none: the other's was handed to it
