"""Sends full batches, one after the other on one connection, until stopped: `python -m benchmarks.batches URL`."""

import http.client
import json
import signal
import sys
from urllib.parse import urlsplit

ITEMS = 1000


def send_for_ever(url: str) -> None:
    """Create `ITEMS` items a request. Ends with the answer's text where one is not 201."""
    body = json.dumps(
        [{"name": f"Item {number} of a batch", "price": number / 100} for number in range(ITEMS)]
    ).encode()
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    while True:
        connection.request("POST", "/items/batch", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 201:
            sys.exit(f"a batch was answered {answer.status}: {text.decode()}")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    send_for_ever(sys.argv[1])
