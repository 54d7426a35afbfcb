"""How a program in a box reaches the proxy: a box has no network, only a socket in its folder.

Programs speak to proxies by TCP, so one small Python program stands in between. It runs inside the
box, listens on the box's own loopback, runs the command with the variables that name it as proxy,
and copies bytes to the socket and back. What may be reached is the proxy's business alone.
"""

from __future__ import annotations

from dataclasses import replace

from .box import NETWORK_SOCKET, PYTHON, WORK, Job

# Python 3.9 or newer. Own file names are no danger: -I and -S leave only the standard library.
RELAY = (
    f'SOCKET = "{WORK}/{NETWORK_SOCKET}"\n'
    + r"""
import os, selectors, signal, socket, sys, time

MOST, CHUNK = 64, 65536
READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
GONE = b"HTTP/1.1 503 Unavailable\r\nConnection: close\r\n\r\nThere is no network now.\n"


class Pair:
    # `due` holds what is still to be written to an end; nothing more is read for it meanwhile

    def __init__(self, one, other, gone):
        self.gone, self.deaf = gone, gone and other  # without a proxy: what is sent goes nowhere
        self.other, self.due = {one: other, other: one}, {one: b"", other: b""}
        self.ended = set()
        for end in self.due:
            end.setblocking(False)

    def wanted(self, end):
        wants = 0 if end in self.ended or self.due[self.other[end]] else READ
        return wants | WRITE if self.due[end] else wants

    def turn(self, end, ready):
        if ready & WRITE:
            self.due[end] = self.due[end][end.send(self.due[end]):]
        elif ready & READ:
            try:
                data = end.recv(CHUNK)
            except ConnectionError:
                data = b""
            if data and self.other[end] is not self.deaf:
                self.due[self.other[end]] = data
            elif not data:
                self.ended.add(end)
                self.other[end].shutdown(socket.SHUT_WR)


class Relay:
    def __init__(self, listening, woken):
        self.watched, self.pairs, self.listening = selectors.DefaultSelector(), set(), listening
        self.watched.register(woken, READ)
        self.watched.register(listening, READ)

    def watch(self, end, pair, wanted):
        known = end in self.watched.get_map()
        if wanted and known:
            self.watched.modify(end, wanted, pair)
        elif wanted:
            self.watched.register(end, wanted, pair)
        elif known:
            self.watched.unregister(end)

    def accept(self):
        try:
            one = self.listening.accept()[0]
        except OSError:  # out of descriptors, or gone again
            return time.sleep(0.05)
        other, gone = socket.socket(socket.AF_UNIX), None
        try:
            other.connect(SOCKET)
        except OSError:  # said by a pair as well: a close would cut off who is still sending
            other.close()
            other, gone = socket.socketpair()
            gone.sendall(GONE)
            gone.shutdown(socket.SHUT_WR)
        pair = Pair(one, other, gone)
        self.pairs.add(pair)
        for end in pair.due:
            self.watch(end, pair, READ)
        self.watch(self.listening, None, READ if len(self.pairs) < MOST else 0)

    def close(self, pair):
        self.pairs.discard(pair)
        for end in pair.due:
            self.watch(end, pair, 0)
            end.close()
        self.watch(self.listening, None, READ)

    def serve(self):
        for key, ready in self.watched.select():
            pair = key.data
            try:
                if key.fileobj is self.listening:
                    self.accept()
                elif pair in self.pairs:
                    pair.turn(key.fileobj, ready)
                    for end in pair.due:
                        self.watch(end, pair, pair.wanted(end))
                    if len(pair.ended) == 2 and not any(pair.due.values()):
                        self.close(pair)
            except BlockingIOError:
                pass
            except OSError:
                if pair in self.pairs:
                    self.close(pair)


def run(command, port):
    proxy = f"http://127.0.0.1:{port}"
    given = {n: proxy for n in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")} | {"NO_PROXY": ""}
    given |= {name.lower(): value for name, value in given.items()}
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and it is inherited
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvpe(command[0], command, {**os.environ, **given})
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode(errors="replace"))
    os._exit(127)


def main(command):
    listening = socket.create_server(("127.0.0.1", 0), backlog=128)
    woken, wake = socket.socketpair()
    woken.setblocking(False)
    wake.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
    child = os.fork()
    if not child:
        run(command, listening.getsockname()[1])
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda number, frame: os.kill(child, number))
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):  # the command's alone: who reads must see that it has closed them
        os.dup2(nothing, stream)
    listening.setblocking(False)
    relay = Relay(listening, woken)
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            code = os.waitstatus_to_exitcode(status)
            os._exit(code if code >= 0 else 128 - code)
        relay.serve()
        try:
            woken.recv(4096)
        except BlockingIOError:
            pass


main(sys.argv[1:])
"""
)


def relayed(job: Job) -> Job:
    """The job with the relay before its command, where it may use the network.

    It ends with the command's exit code, 128 and the signal's number where one ended it, 127 where
    the command cannot be started.
    """
    if not job.network:
        return job
    return replace(job, command=(PYTHON, "-I", "-S", "-c", RELAY, *job.command))
