"""The part of curl that the docs use, for machines without curl. It prints what curl prints."""

import argparse
import sys
from http.client import HTTPConnection, HTTPResponse
from time import monotonic
from urllib.parse import urlsplit


def main() -> None:
    """Send one request and print its answer."""
    parser = argparse.ArgumentParser()
    parser.add_argument("-s", action="store_true")
    parser.add_argument("-i", action="store_true")
    parser.add_argument("-I", action="store_true")
    parser.add_argument("-N", action="store_true")
    parser.add_argument("-m", type=float)
    parser.add_argument("-X")
    parser.add_argument("-H", action="append", default=[])
    parser.add_argument("--json")
    parser.add_argument("url")
    options = parser.parse_args()
    url = urlsplit(f"http://{options.url}")
    headers = {"accept": "*/*"}
    if options.json is not None:
        headers = {"accept": "application/json", "content-type": "application/json"}
    headers.update({name.strip().lower(): value.strip() for name, _, value in (h.partition(":") for h in options.H)})
    method = options.X or ("HEAD" if options.I else "GET" if options.json is None else "POST")
    connection = HTTPConnection(url.netloc)
    body = None if options.json is None else options.json.encode()
    connection.request(method, f"{url.path}{'?' if url.query else ''}{url.query}", body, headers)
    answer = connection.getresponse()
    content = answer.read() if options.m is None else read_for(connection, answer, options.m)
    if options.i or options.I:
        sys.stdout.write(f"HTTP/1.1 {answer.status} {answer.reason}\n")
        sys.stdout.writelines(f"{name}: {value}\n" for name, value in answer.getheaders())
        sys.stdout.write("\n")
    sys.stdout.write(content.decode())


def read_for(connection: HTTPConnection, answer: HTTPResponse, seconds: float) -> bytes:
    """Read what arrives of an answer within this number of seconds."""
    deadline = monotonic() + seconds
    content = b""
    try:
        while (left := deadline - monotonic()) > 0:
            connection.sock.settimeout(left)
            content += answer.read1()
    except TimeoutError:
        pass
    return content


if __name__ == "__main__":
    main()
