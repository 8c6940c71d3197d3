"""A server on this machine, each of whose answers is wrong in a way of its own."""

import gzip
import hashlib
import random
import socket
import ssl
import struct
import threading
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer

from dreaming.data.sources import RemoteFile

CONTENT = random.Random(0).randbytes(200_000)
SIZE = len(CONTENT)
FILE = "set.bin"
CERTIFICATE = Path(__file__).with_name("localhost.pem")
LONGEST = 20.0
"""Seconds after which a silent answer gives up, whatever happens to the test."""


class Answer(StreamRequestHandler):
    """Reads what is asked, and answers as the function of that name below does."""

    timeout = LONGEST

    def handle(self):
        words = self.rfile.readline().split()
        fields = {}
        while (line := self.rfile.readline().strip()) and b":" in line:
            name, _, value = line.partition(b":")
            fields[name.lower()] = value.strip().decode()
        name, asked = words[1].decode().strip("/"), fields.get(b"range")
        self.asked = 0 if asked is None else int(asked.removeprefix("bytes=").removesuffix("-"))
        self.server.asked.append((name, asked and self.asked))
        try:
            self.server.answers[name](self)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            self.server.hung_up.append(name)

    def head(self, status="200 OK", **fields):
        lines = [f"HTTP/1.1 {status}", "Connection: close"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items() if value is not None]
        self.wfile.write("\r\n".join([*lines, "", ""]).encode("latin1"))

    def begin(self, content=CONTENT, **fields):
        """Say what comes, as a good server does; return it."""
        body = content[self.asked :]
        fields = {"Content_Length": len(body), **fields}
        if self.asked:
            said = f"bytes {self.asked}-{len(content) - 1}/{len(content)}"
            self.head("206 Partial Content", **{"Content_Range": said, **fields})
        else:
            self.head(**fields)
        return body

    def send(self, content):
        self.wfile.write(content)

    def silence(self):
        """Say nothing until the client hangs up, or the server ends."""
        self.connection.settimeout(0.05)
        for _ in range(int(LONGEST / 0.05)):
            try:
                if not self.connection.recv(1) or self.server.over.is_set():
                    return
            except (TimeoutError, ssl.SSLWantReadError):
                if self.server.over.is_set():
                    return

    def drip(self, content, pause=0.01):
        for i in range(min(len(content), int(LONGEST / pause))):
            self.wfile.write(content[i : i + 1])
            if self.server.over.wait(pause):
                return

    def reset(self):
        """Break the connection without a farewell."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


def to(address):
    return lambda answer: answer.head("302 Found", Location=address, Content_Length=0)


def status(line, **fields):
    return lambda answer: (answer.head(line, Content_Length=5, **fields), answer.send(b"sorry"))


def whole(content, **fields):
    """Content that is not the right one, of a length that is told."""
    return lambda answer: answer.send(answer.begin(content, **fields))


def unsaid(content):
    """Content of which the length is not told; it ends with the connection."""

    def answer(answer):
        body = content[answer.asked :]
        said = {"Content_Range": f"bytes {answer.asked}-{SIZE - 1}/{SIZE}"} if answer.asked else {}
        answer.head("206 Partial Content" if answer.asked else "200 OK", **said)
        answer.send(body)

    return answer


def length(difference):
    """A length that is not that of what comes."""
    return lambda answer: answer.send(answer.begin(Content_Length=SIZE - answer.asked + difference))


def range_of(said):
    """An answer to a question for a part that says it is another part; without such a question, a cut."""

    def answer(answer):
        if answer.asked:
            answer.send(answer.begin(Content_Range=said))
        else:
            answer.send(answer.begin()[:1000])

    return answer


def chunked(stop=None):
    def answer(answer):
        body = answer.begin(Transfer_Encoding="chunked", Content_Length=None)
        for i in range(0, len(body), 10_000):
            piece = body[i : i + 10_000]
            answer.send(f"{len(piece):x}\r\n".encode() + (piece if i != stop else piece[:77]))
            if i == stop:
                return
            answer.send(b"\r\n")
        answer.send(b"0\r\n\r\n")

    return answer


def cut(bytes_until):
    return lambda answer: answer.send(answer.begin()[:bytes_until])


def then(bytes_until, ending):
    """Some of it, and then something else."""

    def answer(answer):
        body = answer.begin()
        answer.send(body[:bytes_until])
        ending(answer, body[bytes_until:])

    return answer


ZIPPED = gzip.compress(CONTENT, mtime=0)
PAGE = b"<html>please log in</html>"

RIGHT = {
    "right": whole(CONTENT),
    "no_ranges": lambda answer: (answer.head(Content_Length=SIZE), answer.send(CONTENT)),
    "chunked": chunked(),
    "length_unsaid": unsaid(CONTENT),
    "length_negative": length(-300_000),
    "called_gzip": whole(
        CONTENT, Content_Encoding="x-gzip"
    ),  # as Apache calls every archive that ends in .gz
    "to_right": to("/right"),
    "to_to_right": to("/to_right"),
}
"""Answers that bring the file, after all."""

DRIPS = r"gave only 0\.[01] kB a second"  # a busy machine drips more slowly
WRONG = {
    "not_found": (status("404 Not Found"), "answered 404 Not Found"),
    "gone": (status("410 Gone"), "answered 410 Gone"),
    "forbidden": (status("403 Forbidden"), "answered 403 Forbidden"),
    "fault": (status("500 Internal Server Error"), "answered 500 Internal Server Error"),
    "busy": (status("503 Service Unavailable", Retry_After=120), "answered 503 Service Unavailable"),
    "no_content": (status("204 No Content"), "answered 204 No Content"),
    "no_such_range": (status("416 Range Not Satisfiable"), "answered 416"),
    "nonsense": (lambda answer: answer.send(b"what?\r\n\r\n"), "broke off"),
    "nothing": (lambda answer: None, "broke off"),
    "reset_at_once": (lambda answer: answer.reset(), "broke off"),
    "other_bytes": (whole(bytes(SIZE)), "gave a file with another checksum"),
    "one_bit": (whole(CONTENT[:-1] + bytes([CONTENT[-1] ^ 1])), "gave a file with another checksum"),
    "longer": (whole(CONTENT + b"more"), "has 200004 bytes instead of 200000"),
    "shorter": (whole(CONTENT[:-9]), "has 199991 bytes instead of 200000"),
    "longer_unsaid": (unsaid(CONTENT + b"more"), "gave more than 200000 bytes"),
    "shorter_unsaid": (unsaid(CONTENT[:-9]), "broke off after 199991 of 200000 bytes"),
    "length_too_small": (length(-9), "has 199991 bytes instead of 200000"),
    "length_too_great": (length(9), "has 200009 bytes instead of 200000"),
    "page": (whole(PAGE, Content_Type="text/html; charset=utf-8"), "gave a page in place of the file"),
    "page_of_the_size": (
        whole(PAGE + b" " * (SIZE - len(PAGE)), Content_Type="text/html"),
        "gave a page in place of the file",
    ),
    "page_unnamed": (unsaid(PAGE), "broke off after (26|1000) of 200000"),
    "zipped": (whole(ZIPPED, Content_Encoding="gzip"), f"has {len(ZIPPED)} bytes instead of 200000"),
    "other_range": (range_of(f"bytes 7-{SIZE - 1}/{SIZE}"), "broke off|gave another part of the file"),
    "other_total": (range_of("bytes 1000-1099/1100"), "broke off|has 1100 bytes instead of 200000"),
    "range_unsaid": (range_of("garbage"), "broke off|gave another part of the file"),
    "chunked_cut": (chunked(stop=50_000), "broke off"),
    "cut": (cut(70_001), "broke off"),
    "reset_inside": (then(70_001, lambda answer, _: answer.reset()), "broke off"),
    "to_nothing": (to("/not_found"), "answered 404 Not Found"),
    "escapes": (
        status("404 \x1b[31mred\x07"),
        r"answered 404  \[31mred ",
    ),
    "loop": (to("/loop"), "Exceeded 30 redirects"),
    "to_file": (to("file:///etc/hostname"), "No connection adapters were found for 'file:///etc/hostname'"),
    "to_ftp": (to("ftp://127.0.0.1/set.bin"), "No connection adapters were found for 'ftp:"),
    "to_no_address": (to("http://[::1/set.bin"), "broke off"),
    "to_no_text": (to("http://127.0.0.1/\xff\xfe"), "broke off"),
    "to_no_port": (to("http://127.0.0.1:99999/"), "broke off"),
    "stalled": (lambda answer: answer.silence(), "broke off .*timed out"),
    "stalled_inside": (then(70_001, lambda answer, _: answer.silence()), "broke off .*timed out"),
    "slow": (then(0, lambda answer, rest: answer.drip(rest)), DRIPS),
    "gone_slow": (then(150_001, lambda answer, rest: answer.drip(rest)), DRIPS),
}
"""Answers that do not bring the file, and what is said of them."""


class Server(ThreadingTCPServer):
    """Answers on a free port until the block ends; remembers what was asked for, and from which byte."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, *, secure=False, **answers):
        super().__init__(("127.0.0.1", 0), Answer)
        self.scheme = "https" if secure else "http"
        if secure:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(CERTIFICATE)
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.answers = {**RIGHT, **{name: answer for name, (answer, _) in WRONG.items()}, **answers}
        self.asked, self.hung_up, self.over = [], [], threading.Event()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exception):
        self.over.set()
        self.shutdown()
        self._thread.join()
        self.server_close()

    def handle_error(self, request, client_address):
        """Keep what went wrong out of the tests' output: a client that breaks off is what they are about."""
        self.hung_up.append(None)

    def url(self, name):
        return f"{self.scheme}://127.0.0.1:{self.server_address[1]}/{name}"

    def file(self, *names, urls=()):
        """What is published of the file, with these answers as its mirrors."""
        checksum = "md5:" + hashlib.md5(CONTENT).hexdigest()
        return RemoteFile(FILE, checksum, SIZE, (*(self.url(name) for name in names), *urls))
