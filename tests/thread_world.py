"""Threads that train together as processes do: the exchange of shards without MPI."""

import threading
import time
from collections import defaultdict, deque

import cynet.core.random as random
from cynet.train.shards.world import World

LONGEST = 60  # seconds


class ThreadWorld(World):
    """One of several threads."""

    def __init__(self, rank, size, boxes):
        super().__init__()
        self.rank, self.size, self.boxes = rank, size, boxes

    def send(self, array, rank, tag):
        self.sent_bytes, self.sent_messages = self.sent_bytes + array.nbytes, self.sent_messages + 1
        self.boxes[self.rank, rank, tag].append(array.tobytes())
        return None

    def receive(self, array, rank, tag):
        assert array.flags.c_contiguous
        return array, self.boxes[rank, self.rank, tag], []

    def left(self, pending):
        return [each for each in pending if not _is_done(each[0])]

    def wait(self, pending, what, meanwhile=int):
        start = time.monotonic()
        while pending := self.left(pending):
            assert time.monotonic() - start < LONGEST, f"waited for {what} from {pending}"
            meanwhile()
            time.sleep(0)


def _is_done(request):
    if request is None:
        return True
    array, box, done = request
    if not done and box:
        data = box.popleft()
        assert len(data) <= array.nbytes
        array.reshape(-1).view("u1")[: len(data)] = memoryview(data)
        done.append(True)
    return bool(done)


def together(size, function):
    """What ``function(world)`` returns in each of so many threads; what one raises is raised."""
    boxes, found, errors = defaultdict(deque), [None] * size, []
    lock = threading.Lock()

    def one(rank):
        try:
            found[rank] = function(ThreadWorld(rank, size, boxes))
        except BaseException as error:
            with lock:
                errors.append(error)

    with random.kept():
        threads = [threading.Thread(target=one, args=(rank,)) for rank in range(size)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    if errors:
        raise errors[0]
    return found
