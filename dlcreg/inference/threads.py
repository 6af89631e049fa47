"""Work done ahead of its use, in threads, in order, and never more than a few items of it."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

_END = object()
_PATIENCE = 1.0  # seconds for a source to give its next item, such as a camera that has gone


class UntilError(Generic[T]):
    """Items up to an error, which waits until what came before it is dealt with."""

    def __init__(self, items: Iterable[T]) -> None:
        self._items = items
        self._error: Exception | None = None

    def __iter__(self) -> Iterator[T]:
        try:
            yield from self._items
        except Exception as error:
            self._error = error

    def settle(self) -> None:
        """Raise the error, if there was one."""
        if self._error is not None:
            raise self._error


def read_ahead(items: Iterable[T], depth: int) -> Iterator[T]:
    """Yield the items, which a thread draws while the caller is busy with earlier ones.

    An error that `items` raises comes after the items before it. When the caller stops early,
    `items` is closed.

    Args:
        items: drawn from in one other thread alone.
        depth: how many items wait at most.
    """
    waiting: queue.Queue[Any] = queue.Queue(max(1, depth))
    stopped = threading.Event()

    def put(value: Any) -> None:
        while not stopped.is_set():
            with contextlib.suppress(queue.Full):
                return waiting.put(value, timeout=0.1)

    def draw() -> None:
        source = iter(items)
        try:
            for item in source:
                put((item, None))
                if stopped.is_set():
                    break
            put((_END, None))
        except BaseException as error:  # raised where the items are used
            put((_END, error))
        finally:
            close = getattr(source, "close", None)
            if close is not None:
                close()

    thread = threading.Thread(target=draw, name="dlcreg-read-ahead", daemon=True)
    thread.start()
    try:
        while True:
            item, error = waiting.get()
            if error is not None:
                raise error
            if item is _END:
                return
            yield item
    finally:
        stopped.set()
        thread.join(_PATIENCE)


def mapped_ahead(
    function: Callable[[T], R], items: Iterable[T], workers: int, depth: int
) -> Iterator[R]:
    """Yield ``function(item)`` in the order of the items, computed by several threads.

    An error comes after the results before it.

    Args:
        function: safe to run in several threads.
        items: drawn from in the caller's thread.
        workers: number of threads.
        depth: how many results are computed ahead at most.
    """
    pending: deque[Future[R]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="dlcreg-map")
    try:
        drawn = UntilError(items)
        for item in drawn:
            pending.append(pool.submit(function, item))
            if len(pending) > depth:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
        drawn.settle()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
