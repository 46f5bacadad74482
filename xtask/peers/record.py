"""A hook recorder as people write it: parse, stamp, append, sync."""
import json
import os
import sys
import time

event = json.load(sys.stdin)
with open(sys.argv[1], "a", encoding="utf-8") as out:
    out.write(json.dumps({"at": time.time(), "event": event}) + "\n")
    out.flush()
    os.fdatasync(out.fileno())
