"""What lies between the hosts of hosts.sh where the kernel has no netem: a rate, and a delay.

``python line.py SECONDS BITS_A_SECOND DEVICE...`` takes each frame that one of the devices receives, and has
the one that it is for send it when such a line would have brought it. Hosts are told by the last byte of
their Ethernet addresses, which is the device's place in the list. Needs root, and Linux.
"""

import contextlib
import heapq
import itertools
import os
import select
import socket
import struct
import sys
import time

EVERY = 0x0003  # ETH_P_ALL
PACKET, WITH_HEADER, NOT_OWN = 263, 15, 23  # SOL_PACKET, PACKET_VNET_HDR, PACKET_IGNORE_OUTGOING
OFFLOADED = struct.Struct("<BBHHHH")  # virtio_net_hdr: flags, kind, bytes of headers and of a segment, sums
DESTINATION = OFFLOADED.size + 5  # where a frame has the last byte of the address that it is for
LARGEST, ROOM = 1 << 17, 1 << 24  # bytes of a frame, and of those that wait in a socket
GAP = 24  # bytes that a frame takes besides its own: preamble, check sum, gap


def opened(device):
    """A socket of a device's whole frames, each behind a header of what is left to do to it."""
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(EVERY))
    made.setsockopt(PACKET, WITH_HEADER, 1)
    made.setsockopt(PACKET, NOT_OWN, 1)
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        made.setsockopt(socket.SOL_SOCKET, option + 25, ROOM)  # the same by force
    made.bind((device, 0))
    made.setblocking(False)
    return made


def bytes_of(frame):
    """What a frame takes of the line: its segments, each with headers of its own."""
    _, kind, headers, segment, _, _ = OFFLOADED.unpack_from(frame)
    size = len(frame) - OFFLOADED.size
    count = -(-(size - headers) // segment) if kind and segment else 1
    return size + (count - 1) * headers + count * GAP


def main(delay, rate, devices):
    """Forward until a signal comes, before all else that this machine does."""
    with contextlib.suppress(PermissionError):  # as in a container
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    ports, order, waiting = [opened(device) for device in devices], itertools.count(), []
    out, into = dict.fromkeys(ports, 0.0), dict.fromkeys(ports, 0.0)  # until when each direction is taken

    def take(port):
        frame, now = port.recv(LARGEST), time.monotonic()
        to, taken = frame[DESTINATION], bytes_of(frame) * 8 / rate
        out[port] = max(out[port], now) + taken
        for other in [ports[to]] if to < len(ports) else [each for each in ports if each is not port]:
            into[other] = max(out[port], into[other] + taken)
            heapq.heappush(waiting, (into[other] + delay, next(order), other, frame))

    while True:
        left = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        for port in select.select(ports, [], [], left)[0]:
            with contextlib.suppress(OSError):  # a device that is down
                take(port)
        while waiting and waiting[0][0] <= time.monotonic():
            _, _, port, frame = heapq.heappop(waiting)
            with contextlib.suppress(OSError):  # one that is down, or full: a frame is lost, as on any line
                port.send(frame)


if __name__ == "__main__":
    main(float(sys.argv[1]), float(sys.argv[2]), sys.argv[3:])
