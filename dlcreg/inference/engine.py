"""Samples of many images to batches, through a model, and back to their images in order."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from dlcreg.data.batching import collate
from dlcreg.errors import DlcregError
from dlcreg.inference.batch_size import BatchSize, is_out_of_memory
from dlcreg.inference.threads import UntilError
from dlcreg.solvers.prediction import animals_of
from dlcreg.structures import Batch, Meta, Poses, Sample

logger = logging.getLogger("dlcreg")


@dataclass
class Job:
    """An image and the samples that are made of it.

    Args:
        meta: where the image comes from.
        samples: what goes through the model: one, or one for each animal, or none.
        carried: whatever the caller wants to have beside the poses.
        parts: the poses of each sample, with B = 1 and no padding, as they come.
    """

    meta: Meta
    samples: Sequence[Sample]
    carried: Any = None
    parts: list[Poses | None] = field(init=False)

    def __post_init__(self) -> None:
        self.parts = [None] * len(self.samples)

    @property
    def is_done(self) -> bool:
        """Whether the poses of all samples are there."""
        return all(part is not None for part in self.parts)


_Waiting = tuple[Job, int, Sample]


class Engine:
    """Puts samples of one size together, whichever images they are of.

    A batch has no padding, so that poses do not depend on what else is in it. What waits for a full
    batch is bounded: memory does not grow with the number of images.

    Args:
        predict: a batch to poses of its samples, on the CPU.
        size: how many samples make a batch.
    """

    def __init__(self, predict: Callable[[Batch], Poses], size: BatchSize) -> None:
        self.predict = predict
        self.size = size

    def run(self, jobs: Iterator[Job]) -> Iterator[Job]:
        """Yield the jobs in order, their parts filled and their samples gone.

        An error that `jobs` raises comes after the jobs before it.
        """
        queue: deque[Job] = deque()
        buckets: dict[Any, list[_Waiting]] = {}
        drawn = UntilError(jobs)
        for job in drawn:
            queue.append(job)
            for slot, sample in enumerate(job.samples):
                key = (sample.image.shape, sample.image.dtype, sample.condition is None)
                bucket = buckets.setdefault(key, [])
                bucket.append((job, slot, sample))
                if len(bucket) >= self.size.of(sample.image.nbytes):
                    self._run(buckets.pop(key))
            job.samples = ()
            while self._is_late(queue, buckets):
                self._run(buckets.pop(_bucket_of(queue[0], buckets)))
                yield from _done(queue)
            yield from _done(queue)
        for bucket in buckets.values():
            self._run(bucket)
        yield from _done(queue)
        drawn.settle()

    def _is_late(self, queue: deque[Job], buckets: dict[Any, list[_Waiting]]) -> bool:
        """Whether so much waits that the oldest job is to be done, its batch full or not."""
        if not queue or queue[0].is_done:
            return False
        waiting = sum(map(len, buckets.values()))
        return len(queue) > 4 * self.size.size or waiting > 4 * self.size.size

    def _run(self, bucket: list[_Waiting]) -> None:
        """Fill in the poses of some samples of one size; what does not fit goes in two halves."""
        try:
            started = time.perf_counter()
            batch = collate([sample for *_, sample in bucket])
            poses = self.predict(batch)
            self.size.measured(len(bucket), time.perf_counter() - started)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            if not self.size.too_large(len(bucket)):
                height, width = bucket[0][2].image.shape[:2]
                raise DlcregError(
                    f"the memory does not hold one image of {width} x {height} pixels: take "
                    "another device, half precision, or a transform that makes images smaller"
                ) from error
        else:
            for row, (job, slot, _) in enumerate(bucket):
                job.parts[slot] = animals_of(poses, row)
            return
        logger.warning("%d images at once do not fit: %d are taken", len(bucket), self.size.size)
        middle = len(bucket) // 2
        self._run(bucket[:middle])
        self._run(bucket[middle:])


def _bucket_of(job: Job, buckets: dict[Any, list[_Waiting]]) -> Any:
    """Return the key of the bucket in which a sample of a job waits."""
    return next(key for key, bucket in buckets.items() if any(one is job for one, *_ in bucket))


def _done(queue: deque[Job]) -> Iterator[Job]:
    """Yield the jobs at the front that are done, and take them away."""
    while queue and queue[0].is_done:
        yield queue.popleft()
