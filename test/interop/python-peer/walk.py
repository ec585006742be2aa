"""python-nomad as a peer: calls what it is told, one line of JSON a call, one back.

    {"Call": "agent.get_members", "With": [], "Named": {}, "Token": ""}

The answer is {"got": ...}, or {"error": <class>, "bases": [...], "status": ..., "text": ...} of the
exception that the library raised. NOMAD_ADDR, NOMAD_CLIENT_CERT and NOMAD_CLIENT_KEY are read by the
library itself; NOMAD_CACERT it does not know, so it is handed over.
"""

import json
import os
import queue
import sys

import nomad
from nomad.api.base import Requester


class NodePools(Requester):
    """The library has no class for them; this is how its users ask for what it lacks."""

    ENDPOINT = "node"

    def get_pools(self):
        return self.request("pools", method="get").json()

    def get_pool(self, name):
        return self.request("pool", name, method="get").json()


class Client(nomad.Nomad):
    """With what the library lacks, and its threads made into calls."""

    def __init__(self, token):
        super().__init__(token=token or None, verify=os.environ.get("NOMAD_CACERT", False))
        self.node_pools = NodePools(**self.requester_settings)

    def first_events(self, topic):
        """What comes first of a stream, from the oldest event that is kept."""
        thread, leave, events = self.event.stream.get_stream(index=1, topic=topic)
        thread.daemon = True
        thread.start()
        try:
            return events.get(timeout=15)
        except queue.Empty:
            return None
        finally:
            leave.set()


def call(asked):
    found = Client(asked.get("Token"))
    for name in asked["Call"].split("."):
        found = getattr(found, name)
    got = found(*asked.get("With", []), **asked.get("Named", {}))
    return got.status_code if hasattr(got, "status_code") else got


def refusal(error):
    response = getattr(error, "nomad_resp", None)
    return {
        "error": type(error).__name__,
        "bases": [base.__name__ for base in type(error).__mro__],
        "status": getattr(response, "status_code", None),
        "text": getattr(response, "text", str(error)),
    }


print("ready", flush=True)
for line in sys.stdin:
    try:
        answer = {"got": call(json.loads(line))}
    except Exception as error:  # pylint: disable=broad-except
        answer = refusal(error)
    print(json.dumps(answer), flush=True)
