"""The training of a model, from the first batch to the checkpoint that is its result."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from torch import nn

from dlcreg.contracts import Metric
from dlcreg.errors import DlcregError
from dlcreg.plugins import own_version
from dlcreg.schema import Deferred
from dlcreg.solvers import checkpoint, folder
from dlcreg.solvers.checks import check_batches, check_hooks, check_numbers, describe
from dlcreg.solvers.console import Console
from dlcreg.solvers.devices import Precision, choose_device
from dlcreg.solvers.evaluation import Collector, Loader, check_metrics, measure, predict
from dlcreg.solvers.hooks.calibration import CalibrationHook
from dlcreg.solvers.hooks.checkpoint import CheckpointHook
from dlcreg.solvers.hooks.early_stopping import EarlyStoppingHook
from dlcreg.solvers.hooks.ema import EMAHook
from dlcreg.solvers.hooks.logger import LoggerHook
from dlcreg.solvers.hooks.order import build_hooks, hooks_of
from dlcreg.solvers.optimizers import build_optimizer
from dlcreg.solvers.randomness import deterministic_algorithms, seed_everything
from dlcreg.solvers.runner import HookedRun
from dlcreg.solvers.schedules import Schedules
from dlcreg.solvers.signals import StopSignals, TrainingInterrupted
from dlcreg.solvers.state import restore_run, run_state
from dlcreg.solvers.step import TrainingStep
from dlcreg.structures import Batch


class Solver(HookedRun):
    """Trains a model. A run that was killed and is resumed ends with the very same weights.

    Args:
        model: called as ``model(images, mode='loss', instances=..., condition=...)`` for a dict
            of weighted losses and as ``model(images, mode='predict')`` for poses.
        train_loader: the training part.
        val_loader: the validation part, which chooses the best checkpoint; None: the last
            checkpoint is the result.
        work_dir: folder of the run: checkpoints, log, tables.
        optimizer: such as ``dict(type='AdamW', lr=5e-4)``; any of torch's by class name.
        max_epochs: passes over the training part.
        schedule: mmengine's parameter schedulers, such as ``dict(type='MultiStepLR',
            milestones=[90, 120])``, or a list of them.
        metrics: what validation measures.
        precision: bf16 and fp16 compute the forward pass in half precision where it is safe; auto
            takes whichever of the three the device is fast in.
        accumulate: batches whose gradients make one update of the weights.
        clip_grad: largest norm of the gradients; None: no limit.
        param_groups: other options for some parameters, see
            `dlcreg.solvers.optimizers.parameter_groups`.
        no_weight_decay: kinds of parameters that are left out of the weight decay.
        layer_decay: factor of the learning rate from each layer to the one before it, for models
            with a part that has layers, see `dlcreg.contracts.HasLayers`; None: all learn alike.
        ema: momentum of a moving average of the weights, see `EMAHook`; None: none.
        early_stopping: when to give up, such as ``dict(patience=10)``; None: never.
        val_interval: epochs between two validations; the last epoch is validated always.
        checkpoint_interval: epochs between two checkpoints; the last one is saved always.
        checkpoint_by_epoch: False: `checkpoint_interval` counts iterations.
        max_keep: newest checkpoints to keep beside the best one; -1: all.
        save_best: metric key that chooses the best checkpoint; None: the first metric's first.
        log_interval: iterations between two points of the losses in TensorBoard.
        tensorboard: whether to write TensorBoard's files.
        hooks: further hooks of mmengine's interface; one replaces a hook of the same class that
            is built in or that a part brings, see `dlcreg.contracts.BringsHooks`.
        seed: decides all that is random.
        device: None: the GPU if CUDA has one, else the CPU.
        compile: compile the model's forward pass (`torch.compile`).
        channels_last: keep images and weights in the order that some GPUs and CPUs prefer.
        deterministic: only algorithms that give the same result each time, on a GPU, too.
        metadata: what checkpoints say beside the weights: config, provenance, info.
        verbose: False: nothing is printed.

    Raises:
        ConfigError: something does not fit together.
    """

    def __init__(
        self,
        model: nn.Module,
        train_loader: Loader,
        val_loader: Loader | None = None,
        *,
        work_dir: str | Path,
        optimizer: Annotated[Any, Deferred("optimizers")],
        max_epochs: int,
        schedule: Annotated[Any, Deferred("schedulers")] = (),
        metrics: list[Metric] | tuple[Metric, ...] = (),
        precision: Precision = "fp32",
        accumulate: int = 1,
        clip_grad: float | None = None,
        param_groups: dict[str, dict[str, Any]] | None = None,
        no_weight_decay: Sequence[Literal["norm", "bias"]] = (),
        layer_decay: float | None = None,
        ema: float | None = None,
        early_stopping: EarlyStoppingHook | None = None,
        val_interval: int = 1,
        checkpoint_interval: int = 1,
        checkpoint_by_epoch: bool = True,
        max_keep: int = 2,
        save_best: str | None = None,
        log_interval: int = 50,
        tensorboard: bool = True,
        hooks: Annotated[Any, Deferred("hooks")] = (),
        seed: int = 42,
        device: str | None = None,
        compile: bool = False,
        channels_last: bool = False,
        deterministic: bool = False,
        metadata: Mapping[str, Any] | None = None,
        verbose: bool = True,
    ) -> None:
        check_numbers(
            max_epochs=max_epochs,
            accumulate=accumulate,
            val_interval=val_interval,
            checkpoint_interval=checkpoint_interval,
            log_interval=log_interval,
            max_keep=max_keep,
            ema=ema,
            clip_grad=clip_grad,
            layer_decay=layer_decay,
            seed=seed,
        )
        check_batches(train_loader)
        self.train_loader, self.val_loader = train_loader, val_loader
        self.metrics = list(metrics)
        self.work_dir = Path(work_dir)
        self.max_epochs, self.val_interval = max_epochs, val_interval
        self.precision, self.seed, self.save_best_key = precision, seed, save_best
        self.metadata = checkpoint.plain(dict(metadata or {}), "metadata")
        self._deterministic, self._verbose = deterministic, verbose

        self.device = choose_device(device)
        layout = torch.channels_last if channels_last else torch.preserve_format
        self.model = model.to(self.device).to(memory_format=layout)
        self.evaluated_model: nn.Module = self.model
        self.optimizer = build_optimizer(
            optimizer, self.model, param_groups, no_weight_decay, layer_decay
        )
        self.step = TrainingStep(
            torch.compile(self.model) if compile else self.model,
            self.optimizer,
            device=self.device,
            precision=precision,
            accumulate=accumulate,
            clip_grad=clip_grad,
            layout=layout,
        )
        updates = -(-len(train_loader) // accumulate)
        self.schedules = Schedules(schedule, self.optimizer, max_epochs, updates)
        self.schedules.check(metrics if val_loader is not None else ())
        if isinstance(early_stopping, Mapping):
            early_stopping = EarlyStoppingHook(**early_stopping)
        defaults = [
            EMAHook(ema) if ema is not None else None,
            LoggerHook(log_interval, tensorboard),
            early_stopping,
            CheckpointHook(checkpoint_interval, checkpoint_by_epoch, max_keep, save_best),
            CalibrationHook(),
            *hooks_of(self.optimizer, *self.model.modules()),
        ]
        self.hooks = build_hooks(hooks, [hook for hook in defaults if hook is not None])
        check_hooks(self.hooks)

        self.epoch = 0  # finished epochs
        self.batch = 0  # finished batches of the present epoch
        self.iter = 0  # finished batches of all epochs
        self.updated = False  # whether the last batch ended in an update of the weights
        self.validation_open = False  # an epoch is trained and not yet validated
        self.stop_training = False
        self.values: dict[str, Any] = {}
        """What the last validation measured."""
        self.resumed_from: Path | None = None
        self._resumed: dict[str, Any] = {}
        self._save_soon = False
        self._signals = StopSignals()
        self.console = Console(verbose=False)
        self.call_hook("check_run")
        # without validation, too: the finished model is measured with them
        check_metrics(metrics, (val_loader or train_loader).dataset.info)

    # -- the story -----------------------------------------------------------------------------

    def fit(self, overwrite: bool = False) -> Path:
        """Train to the end and return the checkpoint that is the result.

        That is the best one by the validation part, else the last one.

        Args:
            overwrite: whether an earlier run in the same work dir may be thrown away.

        Raises:
            CheckpointError: the work dir holds an earlier run, or a checkpoint cannot be written.
            NonFiniteLoss: a loss became infinite or NaN.
            TrainingInterrupted: Ctrl-C or SIGTERM; the run has saved itself.
        """
        with ExitStack() as stack:
            self._begin(stack, overwrite)
            self.call_hook("before_run")
            if self.resumed_from is not None:
                restore_run(self, self._resumed, self.resumed_from)
                self._resumed = {}
            self.call_hook("before_train")
            self.say(describe(self))
            if self.resumed_from is not None:
                self.say(f"goes on from {self.resumed_from}")
            while self._goes_on():
                if not self.validation_open:
                    self._train_epoch()
                if self.validation_open:
                    self._validate()
                self._safe_point()
            self.call_hook("after_train")
            self.call_hook("after_run")
        return self.result()

    def _train_epoch(self) -> None:
        batches = len(self.train_loader)
        self.model.train()
        self.call_hook("before_train_epoch")
        for batch in self._batches():
            group_size, last_of_group = self.step.group(self.batch, batches)
            self.call_hook("before_train_iter", batch_idx=self.batch, data_batch=batch)
            losses = self.step.forward_backward(batch, group_size, self.epoch, self.batch)
            self.updated = last_of_group and self.step.update()
            if self.updated:
                self.schedules.step_update()
            self.call_hook(
                "after_train_iter", batch_idx=self.batch, data_batch=batch, outputs=losses
            )
            self.iter += 1
            self.batch += 1
            if last_of_group and self.batch < batches:
                self._safe_point()
        self.call_hook("after_train_epoch")
        self.schedules.step_epoch()
        self.epoch += 1
        self.batch = 0
        self.validation_open = self.validation_is_due(self.epoch)

    def _validate(self) -> None:
        assert self.val_loader is not None
        self.call_hook("before_val")
        self.call_hook("before_val_epoch")
        collected = Collector()
        batches = predict(
            self.evaluated_model, self.val_loader, device=self.device, precision=self.precision
        )
        for index, (batch, poses) in enumerate(batches):
            self.call_hook("before_val_iter", batch_idx=index, data_batch=batch)
            collected.add(batch.meta, poses)
            self.call_hook("after_val_iter", batch_idx=index, data_batch=batch, outputs=poses)
            if self._signals.received:
                self._safe_point()
        self.values = measure(collected.images(), self.val_loader.dataset, self.metrics)
        self.validation_open = False
        self.schedules.step_metrics(self.values)
        self.call_hook("after_val_epoch", metrics=self.values)
        self.call_hook("after_val")

    def _goes_on(self) -> bool:
        done = self.epoch >= self.max_epochs or self.stop_training
        return self.validation_open or not done

    def validation_is_due(self, epoch: int) -> bool:
        """Return whether the validation part is measured after `epoch` epochs."""
        if self.val_loader is None or not self.metrics:
            return False
        return epoch % self.val_interval == 0 or epoch == self.max_epochs

    def result(self) -> Path:
        """Return the checkpoint that is the run's result, or would be by now.

        Raises:
            CheckpointError: the run has saved nothing yet.
        """
        return folder.result(self.work_dir)

    # -- saving and resuming -------------------------------------------------------------------

    def save_soon(self) -> None:
        """Ask for a checkpoint at the next point where everything can be saved."""
        self._save_soon = True

    def _safe_point(self) -> None:
        """Save if asked to, end if told to. Between two updates no gradient is half done."""
        signal = self._signals.received
        if not (self._save_soon or signal):
            return
        path = self.save()
        if signal:
            raise TrainingInterrupted(
                f"stopped by {signal.name} after {self.epoch} of {self.max_epochs} epochs and "
                f"{self.batch} batches; all is saved in {path}. Go on with --resume.",
                signal,
            )

    def save(self) -> Path:
        """Write a checkpoint that the run can go on from, and return its path."""
        self._save_soon = False
        self.step.finite.flush()
        state = {**self._header(), **run_state(self)}
        self.call_hook("before_save_checkpoint", checkpoint=state)
        if self.evaluated_model is not self.model:
            state["evaluated"] = self.evaluated_model.state_dict()
        path = self.work_dir / folder.snapshot_name(self.epoch, self.batch)
        if self.is_main:
            checkpoint.save(path, state)
            self.call_hook("after_save_checkpoint", path=path)
        return path

    def save_best(self, score: Mapping[str, Any]) -> None:
        """Write the weights that were validated, without the state of the training.

        Args:
            score: key, value and epoch of the validation.
        """
        self.step.finite.flush()
        weights = self.evaluated_model.state_dict()
        if self.is_main:
            path = self.work_dir / folder.BEST
            checkpoint.save(path, {**self._header(), "model": weights, "best": dict(score)})

    def resume(self, path: str | Path | None = None) -> Path | None:
        """Let `fit` go on from a checkpoint.

        Args:
            path: a checkpoint of a run; None: the newest one in the work dir.

        Returns:
            The checkpoint, or None if the work dir has none and the run starts from the beginning.

        Raises:
            CheckpointError: there is no such file, it is damaged, or it holds only weights.
        """
        found = folder.find_run(self.work_dir, path)
        if found is not None:
            self.resumed_from, self._resumed = found
        return self.resumed_from

    # -- the rest ------------------------------------------------------------------------------

    def call_hook(self, stage: str, **values: Any) -> None:
        """Call all hooks of a stage, those of the highest priority first."""
        for hook in self.hooks:
            method = getattr(hook, stage, None)
            if method is not None:
                method(self, **values)

    def say(self, text: str) -> None:
        """Say a line on the console and in the log of the run."""
        if self.is_main:
            self.console.line(text)

    def _begin(self, stack: ExitStack, overwrite: bool) -> None:
        """Prepare what the run needs around it, and let `stack` put it away."""
        if self.iter:
            raise DlcregError("this solver has trained already: build another one and resume().")
        if self.is_main:
            folder.claim(self.work_dir, self.resumed_from, overwrite)
        log = self.work_dir / "train.log" if self.is_main else None
        self.console = Console(log, self._verbose)
        stack.callback(self.console.close)
        stack.callback(self.call_hook, "close")
        stack.enter_context(deterministic_algorithms(self._deterministic))
        stack.enter_context(self._signals)
        seed_everything(self.seed)

    def _batches(self) -> Iterator[Batch]:
        try:
            yield from self.train_loader.epoch(self.epoch, self.batch)
        except Exception:
            # a Ctrl-C in a terminal reaches the loader's workers, too, and they die of it
            if self._signals.received and self.batch % self.step.accumulate == 0:
                self._safe_point()
            raise

    def _header(self) -> dict[str, Any]:
        return {**self.metadata, "dlcreg": own_version(), "torch": str(torch.__version__)}
