"""The task of `mails` on Celery: python -m celery -A bench.peers.mails_celery worker"""

import os
import sys

from celery import Celery  # type: ignore[import-not-found]  # no dependency of ours

from bench.peers.mails import send_one

app = Celery("mails", broker=f"redis+socket://{os.environ['BENCH_REDIS']}")
app.conf.update(task_acks_late=True, task_ignore_result=True, worker_hijack_root_logger=False)
send = app.task(name="send")(send_one)

if __name__ == "__main__":
    for number in range(int(sys.argv[1]), int(sys.argv[2]) + 1):
        send.delay(number)
