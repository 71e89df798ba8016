"""What goes over the broker: the ids of jobs that wait, in a queue of their service's own, more urgent ones first."""

from __future__ import annotations

from celery import Celery
from kombu.entity import Queue
from kombu.exceptions import OperationalError

TASK = "cleanplate.run"
LEVELS = 10
SETTINGS = {
    "task_acks_late": True,
    "task_ignore_result": True,
    "worker_enable_remote_control": False,
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    "broker_heartbeat": 0,  # a worker that is full reads nothing
    "task_publish_retry_policy": {"max_retries": 2, "interval_start": 0, "interval_step": 0.2},
    "broker_transport_options": {
        "queue_order_strategy": "priority",
        "priority_steps": list(range(LEVELS)),
        "socket_connect_timeout": 5,
        "socket_timeout": 30,  # else a Redis that is there and says nothing is waited for without an end
        "socket_keepalive": True,
    },
}


class Broker:
    """The queue of one kind of jobs. Sending blocks, and is safe from any thread."""

    def __init__(self, url: str, kind: str):
        urgency = {"x-max-priority": LEVELS - 1}  # for RabbitMQ
        queue = Queue(f"cleanplate.{kind}", queue_arguments=urgency)  # type: ignore[no-untyped-call]
        self.app = Celery("cleanplate", broker=url, set_as_current=False, autofinalize=True)
        self._queue = queue.name
        self._lowest_first = not url.startswith("redis")
        # A message whose acknowledgement Redis did not hear counts as taken for ever: with a limit of one, a worker
        # would take no other. It has one at a time anyway; RabbitMQ would send it all there are.
        limit = 1 if self._lowest_first else 0
        self.app.conf.update(
            SETTINGS, task_queues=[queue], task_default_queue=queue.name, worker_prefetch_multiplier=limit
        )

    def send(self, job_id: str, priority: int) -> None:
        """Say that a job waits.

        Raises:
            kombu.exceptions.OperationalError: the broker does not answer.
        """
        level = min(max(priority, 0), LEVELS - 1)
        self.app.send_task(TASK, (job_id,), priority=level if self._lowest_first else LEVELS - 1 - level)

    def check(self) -> None:
        """Raise what `send` does if the broker does not answer, or lets nobody in."""
        with self.app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1)

    def waiting(self) -> int:
        """Return how many messages no worker has taken yet. Raises what `send` does."""
        with self.app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1)
            try:
                found = connection.default_channel.queue_declare(self._queue, passive=True)
            except connection.channel_errors:  # where nobody has sent anything there is no queue
                return 0
            except connection.connection_errors as error:
                raise OperationalError(str(error)) from error
            return int(found.message_count)
