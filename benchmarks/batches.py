"""Sends full batches on two connections, one after the other, until stopped: `python -m benchmarks.batches URL`."""

import http.client
import json
import os
import signal
import sys
import threading
from urllib.parse import urlsplit

ITEMS = 1000
# Two, so that a batch is always waiting.
CONNECTIONS = 2


def send_for_ever(url: str) -> None:
    """Create `ITEMS` items a request. Ends the process with the response text if a response is not 201."""
    body = json.dumps(
        [{"name": f"Item {number} of a batch", "price": number / 100} for number in range(ITEMS)]
    ).encode()
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    while True:
        connection.request("POST", "/items/batch", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 201:
            print(f"a batch got {answer.status}: {text.decode()}", file=sys.stderr, flush=True)
            os._exit(1)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for _ in range(CONNECTIONS):
        threading.Thread(target=send_for_ever, args=(sys.argv[1],)).start()
