"""Sends requests as the Python client does: one message each, with whole seconds and with nanoseconds."""

import sys

from fluent.sender import FluentSender

host, port = sys.argv[1].split(":")
number = 0
for nanoseconds in (False, True):
    sender = FluentSender("wallarm", host=host, port=int(port), timeout=20, nanosecond_precision=nanoseconds)
    for _ in range(3):
        number += 1
        record = {
            "v": 1, "id": bytes([0] * 15 + [number]), "seq": [b"python!!", number], "sid": bytes([9] * 16),
            "node": "interop", "app": "default", "host": "shop.example", "method": "GET", "path": f"/{number}",
            "proto": "HTTP/1.1", "scheme": "http", "status": 200, "dur": 1500, "in": 100, "out": 200,
            "ip": "192.0.2.1", "ua": "python", "key": ["ip", "ip", "192.0.2.1", False],
        }  # fmt: skip
        if not sender.emit("sessions", record):
            sys.exit(str(sender.last_error))
    sender.close()
