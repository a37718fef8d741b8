"""Hostile requests: what tries to break whoever reads bodies, as bytes on the wire."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

MIB = 1 << 20
_JSON = ("content-type: application/json",)
_CHUNKED = "transfer-encoding: chunked"
_PLAIN = b'{"text": "\xe4\xbb\x80\xe4\xb9\x88\xe6\x97\xb6\xe5\x80\x99\xe5\x8f\x91\xe8\xb4\xa7"}'
_FIELDS = (
    "text",
    "language",
    "top_k",
    "conversation_id",
    "message_id",
    "channel",
    "customer",
    "context",
    "items",
    "dry_run",
    "rating",
    "content",
)


@dataclass(frozen=True, slots=True)
class Hostile:
    """``payload`` is sent as it is; ``framed``: with its own length. ``slow``: the server waits for more, until its time limit is over;
    ``drip``: the payload comes a byte at a time. ``cut``: the client sends its end (FIN) after the payload."""

    name: str
    payload: bytes
    heads: Sequence[str] = _JSON
    framed: bool = True
    slow: bool = False
    drip: bool = False
    cut: bool = False

    def head(self, method: str, path: str) -> bytes:
        """The head of the request."""
        length = [f"content-length: {len(self.payload)}"] if self.framed else []
        lines = [f"{method} {path} HTTP/1.1", "host: shop", "if-match: *", *self.heads, *length, "", ""]
        return "\r\n".join(lines).encode("latin-1")


def hostile_requests() -> list[Hostile]:
    """All of them, each under a name of its own."""
    makers = (
        _encodings,
        _surrogates,
        _controls,
        _numbers,
        _deep,
        _long_numbers,
        _twice,
        _kinds,
        _large,
        _halves,
        _types,
        _compressed,
        _lengths,
        _chunks,
        _slow,
    )
    found = [each for maker in makers for each in maker()]
    assert len({each.name for each in found}) == len(found)
    return found


def _encodings() -> Iterator[Hostile]:
    broken = {
        "ff": b"\xff",
        "lone continuation": b"\x80",
        "overlong slash": b"\xc0\xaf",
        "overlong NUL": b"\xc0\x80",
        "surrogate": b"\xed\xa0\x80",
        "beyond Unicode": b"\xf4\x90\x80\x80",
        "five bytes": b"\xf8\x88\x80\x80\x80",
        "cut short": b"\xe4\xbd",
        "GB18030": "发货".encode("gb18030"),
        "Latin-1": "é".encode("latin-1"),
    }
    places = {"value": b'{"text": "a%sb"}', "key": b'{"text": "a", "k%s": 1}', "outside": b'%s{"text": "a"}', "end": b'{"text": "a"}%s'}
    for (name, piece), (place, frame) in product(broken.items(), places.items()):
        yield Hostile(f"encoding: {name}, {place}", frame % piece)
    for codec in ("utf-16", "utf-16-be", "utf-32", "utf-8-sig", "gb18030", "utf-7"):
        yield Hostile(f"encoding: all in {codec}", _PLAIN.decode().encode(codec))


def _surrogates() -> Iterator[Hostile]:
    pieces = (
        b"\\ud800",
        b"\\udfff",
        b"\\ud800\\ud800",
        b"\\udc00\\ud800",
        b"\\ud83d",
        b"\\u0000",
        b"a\\u0000b",
        b"\\uFFFF",
        b"\\u202e\\u2066",
    )
    places = (
        b'{"text": "%s"}',
        b'{"%s": "a", "text": "a"}',
        b'{"text": "a", "conversation_id": "%s"}',
        b'{"text": "a", "context": {"x": "%s"}}',
    )
    for (n, piece), (m, frame) in product(enumerate(pieces), enumerate(places)):
        yield Hostile(f"escape {n}, place {m}", frame % piece)


def _controls() -> Iterator[Hostile]:
    for code in (*range(0x20), 0x7F):
        yield Hostile(f"control {code:#04x} in a text", b'{"text": "a%cb"}' % code)
    yield Hostile("control: NULs alone", b"\0" * 1000)


def _numbers() -> Iterator[Hostile]:
    said = ("NaN", "Infinity", "-Infinity", "nan", "1e999", "-1e999", "0x10", "01", "1.", ".5", "+1", "1e", "--1", "1_000", "１")
    for number, name in product(said, ("top_k", "text", "rating")):
        yield Hostile(f"number {number} for {name}", f'{{"text": "a", "{name}": {number}}}'.encode())


def _deep() -> Iterator[Hostile]:
    for depth in (100, 1000, 10_000, 100_000):
        yield Hostile(f"deep: lists, {depth}", b"[" * depth + b"]" * depth)
        yield Hostile(f"deep: lists left open, {depth}", b"[" * depth)
        yield Hostile(f"deep: objects left open, {depth // 2}", b'{"a":' * (depth // 2))
        yield Hostile(f"deep: in text, {depth}", b'{"text": ' + b"[" * depth + b"]" * depth + b"}")
    for depth in (100, 1000, 10_000):
        yield Hostile(f"deep: objects, {depth}", b'{"a":' * depth + b"1" + b"}" * depth)
        yield Hostile(f"deep: in context, {depth}", b'{"text": "a", "context": {"x": ' + b'[{"y":' * depth + b"1" + b"}]" * depth + b"}}")


def _long_numbers() -> Iterator[Hostile]:
    for digits in (100, 1000, 4301, 10_000, 100_000):
        nines = b"9" * digits
        for name, number in (("whole", nines), ("negative", b"-" + nines), ("fraction", b"0." + nines), ("exponent", b"1e" + nines)):
            yield Hostile(f"digits: {name}, {digits}", b'{"text": "a", "top_k": ' + number + b"}")


def _twice() -> Iterator[Hostile]:
    for name in _FIELDS:
        yield Hostile(f"twice: {name}", f'{{"text": "a", "{name}": "b", "{name}": "c"}}'.encode())
    yield Hostile("twice: escaped", b'{"text": "a", "t\\u0065xt": "b"}')
    yield Hostile("twice: below", b'{"text": "a", "context": {"x": "1", "x": "2"}}')


def _kinds() -> Iterator[Hostile]:
    values = ("null", "true", "0", "-1", "1.5", '""', "[]", "{}", "[[[]]]", '"' + "x" * 300 + '"', '"\u3000"')
    for name, value in product(_FIELDS, values):
        yield Hostile(f"kind: {name} is {value[:12]}", f'{{"text": "a", "{name}": {value}}}'.encode())
    for whole in ("null", "true", "1", '"a"', "[]", "{}", "", " ", "[1]", '[{"text": "a"}]'):
        yield Hostile(f"kind: the body is {whole!r}", whole.encode())


def _large() -> Iterator[Hostile]:
    texts = {
        "2,001 characters": "发" * 2001,
        "emoji": "👩‍👩‍👧‍👦" * 200,
        "marks": "a" + "\u0301" * 1900,
        "blanks": " " * 100_000,
        "80,000 characters": "发" * 80_000,
    }
    for name, text in texts.items():
        yield Hostile(f"large: {name}", json.dumps({"text": text}, ensure_ascii=False).encode())
    yield Hostile("large: 257 items", json.dumps({"items": [{"text": "a"}] * 257}).encode())
    yield Hostile("large: 20,000 keys", json.dumps({"text": "a", **{f"k{n}": n for n in range(20_000)}}).encode())
    yield Hostile("large: a key of 200,000", json.dumps({"text": "a", "k" * 200_000: 1}).encode())
    yield Hostile("large: 100,000 commas", b"[" + b"0," * 100_000 + b"0]")
    yield Hostile("large: backslashes", b'{"text": "' + b"\\\\" * 100_000 + b'"}')
    for size in (256 * 1024 + 1, MIB, 20 * MIB):
        yield Hostile(f"large: {size} bytes", b'{"text": "' + b"a" * (size - 12) + b'"}')


def _halves() -> Iterator[Hostile]:
    whole = b'{"text": "\\u4ec0\\u4e48", "top_k": 12, "context": {"a": [true, null]}}'
    for end in range(1, len(whole), 4):
        yield Hostile(f"half: {end} bytes", whole[:end])
    for more in ("}", "]", ",", "{}", "//", "/* */", "\0", ";", "\n{}"):
        yield Hostile(f"more after the end: {more!r}", whole + more.encode())


def _types() -> Iterator[Hostile]:
    said = (
        *("text/plain", "application/xml", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", "application/pickle"),
        *(
            "application/json; charset=utf-16",
            'application/json; charset="',
            "application/json" + ";a=b" * 2000,
            "application/json, text/plain",
        ),
        *("", "\xff", "text/csv", "application/x-yaml"),
    )
    for n, kind in enumerate(said):
        yield Hostile(f"type {n}", _PLAIN, (f"content-type: {kind}",))
    yield Hostile("type: none", _PLAIN, ())
    yield Hostile("type: two", _PLAIN, (*_JSON, "content-type: text/plain"))
    yield Hostile("type: yaml of many", b"a: &a [x,x]\nb: &b [*a,*a]\n" * 2000, ("content-type: application/x-yaml",))


def _compressed() -> Iterator[Hostile]:
    bomb = gzip.compress(b"[" * (64 * MIB), 9)
    found = (
        ("gzip", bomb),
        ("deflate", zlib.compress(b" " * (16 * MIB), 9)),
        ("br", b"\x0b\x02\x80"),
        ("gzip", b"\x1f\x8b"),
        ("gzip, gzip", gzip.compress(bomb)),
        ("identity, gzip", bomb),
        ("x", _PLAIN),
        ("zstd", b"\x28\xb5\x2f\xfd"),
    )
    for coding, payload in found:
        yield Hostile(f"coding: {coding}, {len(payload)} bytes", payload, (*_JSON, f"content-encoding: {coding}"))
    yield Hostile("coding: a bomb that nobody announces", bomb)
    yield Hostile(
        "coding: a bomb as an Excel file", bomb, ("content-type: application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",)
    )


def _lengths() -> Iterator[Hostile]:
    for said in ("-1", "+5", "0x10", "5, 5", "1e3", "", " ", "\xef\xbc\x99", "9" * 30, "18446744073709551616"):
        yield Hostile(f"length {said!r}", _PLAIN, (*_JSON, f"content-length: {said}"), framed=False, cut=True)
    yield Hostile("length: two", _PLAIN, (*_JSON, "content-length: 1", f"content-length: {len(_PLAIN)}"), framed=False, cut=True)
    yield Hostile("length: and chunked", b"0\r\n\r\n", (*_JSON, _CHUNKED, "content-length: 5"), framed=False, cut=True)
    yield Hostile("length: too short", _PLAIN, (*_JSON, "content-length: 3"), framed=False, cut=True)
    yield Hostile("length: too long, and gone", _PLAIN, (*_JSON, "content-length: 500"), framed=False, cut=True)
    yield Hostile("length: none", _PLAIN, framed=False, cut=True)


def _chunks() -> Iterator[Hostile]:
    rest = b"\r\n0\r\n\r\n"
    sizes = (b"zz", b"-1", b"+5", b"0x5", b"ffffffffffffffff", b"1ffffffffffffffff", b"", b" 5", b"5;" + b"x" * 70_000, b"5;a=\0", b"5\n")
    for n, size in enumerate(sizes):
        yield Hostile(f"chunk size {n}", size + b"\r\nabcde" + rest, (*_JSON, _CHUNKED), framed=False, cut=True)
    whole = b"%x\r\n%b" % (len(_PLAIN), _PLAIN) + rest
    yield Hostile(
        "chunks: a byte each", b"".join(b"1\r\n%c\r\n" % byte for byte in _PLAIN) + b"0\r\n\r\n", (*_JSON, _CHUNKED), framed=False
    )
    yield Hostile("chunks: trailers", whole[:-2] + b"x: " + b"y" * 1000 + b"\r\n\r\n", (*_JSON, _CHUNKED), framed=False)
    yield Hostile("chunks: no end of line", b"5abcde0", (*_JSON, _CHUNKED), framed=False, cut=True)
    yield Hostile("chunks: 20 MiB", (b"%x\r\n" % MIB + b"a" * MIB + b"\r\n") * 20 + b"0\r\n\r\n", (*_JSON, _CHUNKED), framed=False)
    for coding in ("gzip, chunked", "chunked, gzip", "chunked, chunked", "identity", "\x0bchunked", "xchunked"):
        yield Hostile(f"transfer {coding!r}", whole, (*_JSON, f"transfer-encoding: {coding}"), framed=False, cut=True)
    yield Hostile("expect: nonsense", _PLAIN, (*_JSON, "expect: the-impossible"))
    yield Hostile("head: 200 fields", _PLAIN, (*_JSON, *(f"x-{n}: y" for n in range(200))))
    yield Hostile("head: 70,000 bytes", _PLAIN, (*_JSON, "x: " + "y" * 70_000))

    strange = ("x-request-id: \xff\xfe", "traceparent: \xff", "authorization: Bearer \xff", "x-deadline-ms: \xef\xbc\x99")
    yield Hostile("head: bytes", _PLAIN, (*_JSON, *strange))


def _slow() -> Iterator[Hostile]:
    yield Hostile("slow: half a body and silence", _PLAIN[:9], (*_JSON, f"content-length: {len(_PLAIN)}"), framed=False, slow=True)
    yield Hostile("slow: no body at all", b"", (*_JSON, "content-length: 30"), framed=False, slow=True)
    yield Hostile("slow: a chunk and silence", b"5\r\nabcde\r\n", (*_JSON, _CHUNKED), framed=False, slow=True)
    yield Hostile("slow: waits for 100", b"", (*_JSON, "content-length: 30", "expect: 100-continue"), framed=False, slow=True)
    yield Hostile("slow: a byte a second", b'{"text": "' + b"a" * 40 + b'"}', slow=True, drip=True)
