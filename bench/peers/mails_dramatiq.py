"""The task of `mails` on Dramatiq: python -m dramatiq bench.peers.mails_dramatiq"""

import os
import sys

import dramatiq  # type: ignore[import-not-found]  # no dependency of ours
from dramatiq.brokers.redis import RedisBroker  # type: ignore[import-not-found]

from bench.peers.mails import send_one

dramatiq.set_broker(RedisBroker(url=f"unix://{os.environ['BENCH_REDIS']}"))
send = dramatiq.actor(send_one)

if __name__ == "__main__":
    for number in range(int(sys.argv[1]), int(sys.argv[2]) + 1):
        send.send(number)
