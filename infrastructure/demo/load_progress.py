"""Says how far the load has come: a bar on a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

Item = TypeVar("Item")


class Steps:
    """Does one step after the other, each over many items, perhaps with several workers."""

    def __init__(self, console: Console, workers: int) -> None:
        self._console = console
        self._workers = workers

    def each(self, title: str, items: Sequence[Item], work: Callable[[Item], object]) -> None:
        """Do the work for every item. The first failure ends the step, with nothing more begun, and is raised."""
        with self._shown(title, len(items)) as one_done:

            def do(item: Item) -> None:
                work(item)
                one_done()

            if self._workers == 1:
                for item in items:
                    do(item)
            else:
                self._in_threads(items, do)

    def once(self, title: str, work: Callable[[], object]) -> None:
        """Do a step that is one piece of work."""
        self.each(title, [work], lambda each: each())

    def _in_threads(self, items: Sequence[Item], do: Callable[[Item], None]) -> None:
        pool = ThreadPoolExecutor(self._workers)
        try:
            futures = [pool.submit(do, item) for item in items]
            for future in wait(futures, return_when=FIRST_EXCEPTION).done:
                future.result()
        finally:
            pool.shutdown(cancel_futures=True)

    @contextmanager
    def _shown(self, title: str, total: int) -> Iterator[Callable[[], object]]:
        begun = time.monotonic()
        if self._console.is_terminal:
            columns = (TextColumn("  {task.description:12}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
            with Progress(*columns, console=self._console) as bars:
                task = bars.add_task(title, total=total)
                yield lambda: bars.advance(task)
        else:
            yield lambda: None
            self._console.print(f"  {title}: {total} in {time.monotonic() - begun:.1f} s")
