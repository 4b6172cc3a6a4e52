"""One process or several: the same calls, which do nothing on one."""

from __future__ import annotations

import contextlib
import inspect
import math
import os
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from neuript.errors import NeuriptError
from neuript.network.gpu import cpu_or_gpu

if TYPE_CHECKING:
    from neuript.training.pretrain.run_settings import PretrainRun

_LOST = ("gloo", "nccl", "connection", "timed out", "timeout", "socket", "peer", "store")


@dataclass(frozen=True, slots=True)
class World:
    """One process among those that train together."""

    rank: int
    size: int
    device: torch.device
    shard: bool = False

    @property
    def is_first(self) -> bool:
        """Whether this process writes the files and the log."""
        return self.rank == 0

    def wrap(self, module: nn.Module, blocks: list[nn.Module], *, all_used: bool = True) -> nn.Module:
        """Return `module` ready to train with the others: sharded, copied, or as it is.

        Parameters
        ----------
        module : nn.Module
            Module whose forward is called for every micro-batch.
        blocks : list of nn.Module
            Parts whose weights are gathered one after the other when sharded.
        all_used : bool
            Whether every weight has a gradient in every step; copies wait for all of them otherwise.
        """
        if self.shard:
            return _sharded(module, blocks)
        return module if self.size == 1 else _copied(module, self.device, all_used)

    def sum(self, values: Tensor) -> Tensor:
        """Sum a tensor over the processes."""
        if self.size > 1:
            dist.all_reduce(values)
        return values

    def any(self, flag: bool) -> bool:
        """Whether `flag` is true in any process: all of them then do the same thing next."""
        if self.size == 1:
            return flag
        value = torch.tensor([int(flag)])  # on the CPU: does not wait for the accelerator
        dist.all_reduce(value, op=dist.ReduceOp.MAX)
        return bool(value.item())

    def first_says(self, value: Any) -> Any:
        """Return the first process' JSON-like value in all of them."""
        if self.size == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0, device=torch.device("cpu"))
        return box[0]


def _sharded(module: nn.Module, blocks: list[nn.Module]) -> nn.Module:
    from torch.distributed.fsdp import fully_shard

    # Predictions of a linear map are views; nothing changes them in place.
    warnings.filterwarnings("ignore", message=r"FSDP2-wrapped module .* returned a view")
    for block in blocks:
        fully_shard(block)
    fully_shard(module)
    return module


def _copied(module: nn.Module, device: torch.device, all_used: bool) -> nn.Module:
    from torch.nn.parallel import DistributedDataParallel

    # Buffers are positions, which every process computes; the option has a new name in PyTorch 2.13.
    names = inspect.signature(DistributedDataParallel).parameters
    name = "forward_sync_buffers" if "forward_sync_buffers" in names else "broadcast_buffers"
    ids = [device.index] if device.type == "cuda" else None
    options: dict[str, Any] = {name: False, "find_unused_parameters": not all_used}
    return DistributedDataParallel(module, device_ids=ids, gradient_as_bucket_view=True, **options)


def reshard(module: nn.Module) -> None:
    """Let go of weights that a forward pass without a backward left gathered."""
    again = getattr(module, "reshard", None)
    if again is not None:
        again()


def set_sync(module: nn.Module, world: World, sync: bool) -> contextlib.AbstractContextManager[Any]:
    """Return the context of a forward and backward whose gradients are exchanged only if `sync`."""
    if world.shard:
        module.set_requires_gradient_sync(sync)  # type: ignore[operator]
    elif world.size > 1 and not sync:
        return module.no_sync()  # type: ignore[no-any-return,operator]
    return contextlib.nullcontext()


@contextlib.contextmanager
def open_world(run: PretrainRun) -> Iterator[World]:
    """Join the other processes if `torchrun` (or SLURM with its variables) started several.

    Raises
    ------
    NeuriptError
        If the device is not there, the others do not come, or one of them is lost later on.
    """
    size, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    device = _device(run)
    if run.shard and "WORLD_SIZE" not in os.environ:
        raise NeuriptError("sharding needs several processes; start with torchrun (see docs/pretraining.md)")
    if size == 1 and not run.shard:
        yield World(0, 1, device)
        return
    with _lost_is_said(rank, size):
        _join(run, device)
        yield World(rank, size, device, run.shard)
        # Only at an orderly end: after an error the others may be gone, and it could hang on them.
        dist.destroy_process_group()


def _join(run: PretrainRun, device: torch.device) -> None:
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    # Both libraries must give up by themselves; PyTorch's default is to wait for half an hour.
    dist.init_process_group(backend, timeout=timedelta(seconds=run.timeout_s))


@contextlib.contextmanager
def _lost_is_said(rank: int, size: int) -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        text = str(error)
        is_lost = isinstance(error, dist.DistError) or any(w in text.lower() for w in _LOST)
        if not is_lost:
            raise
        line = text.strip().splitlines()[-1] if text.strip() else type(error).__name__
        raise NeuriptError(
            f"process {rank} of {size} lost the others ({line[:200]}); the same command goes on "
            "from the last checkpoint"
        ) from error


def _device(run: PretrainRun) -> torch.device:
    if cpu_or_gpu(run.device) == "cpu":
        return torch.device("cpu")
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    torch.cuda.set_device(device)
    return device


def full(value: Tensor) -> float:
    """Return a number that may be sharded (then all processes must call this)."""
    whole = getattr(value, "full_tensor", None)  # a DTensor; importing it takes a second
    return float(value if whole is None else whole())


def gather_whole(tensors: Mapping[str, Tensor], world: World) -> dict[str, Tensor]:
    """Return tensors whole on the CPU of the first process, empty in the others; all must call it.

    Shards travel together, in one message per process over the CPU's network: hundreds of small
    ones would be slow, and a GPU may have no room for the whole.
    """
    if not world.shard:
        return {k: t.detach().cpu() for k, t in tensors.items()} if world.is_first else {}
    shards = {k: _local(t).detach().cpu() for k, t in tensors.items()}
    sizes = [
        sum(math.prod((_rows(t.shape[0], r, world.size), *t.shape[1:])) for t in tensors.values())
        for r in range(world.size)
    ]
    mine = torch.cat([t.float().flatten() for t in shards.values()])
    mine = torch.nn.functional.pad(mine, (0, max(sizes) - len(mine)))
    parts = [torch.empty_like(mine) for _ in sizes] if world.is_first else None
    dist.gather(mine, parts, dst=0)
    if parts is None:
        return {}
    whole, at = {}, [0] * world.size
    for name, t in tensors.items():
        pieces = []
        for r, part in enumerate(parts):
            shape = (_rows(t.shape[0], r, world.size), *t.shape[1:])
            end = at[r] + math.prod(shape)
            pieces.append(part[at[r] : end].view(shape))
            at[r] = end
        whole[name] = torch.cat(pieces)
    return whole


def assign(target: Tensor, value: Tensor, world: World) -> None:
    """Set a tensor, or this process' shard of it, to a whole one that every process has."""
    if world.shard:
        n = value.shape[0]
        start = sum(_rows(n, r, world.size) for r in range(world.rank))
        value = value[start : start + _rows(n, world.rank, world.size)]
        target = _local(target)
    with torch.no_grad():
        target.copy_(value)


def _local(tensor: Tensor) -> Tensor:
    """Return the rows that this process holds of a sharded tensor."""
    placements = getattr(tensor, "placements", None)  # a DTensor; importing it takes a second
    if placements is None:
        raise ValueError("a tensor of a sharded model is whole; reshard() the model first")
    if not all(p.is_shard(0) for p in placements):
        raise ValueError(f"a tensor is spread as {placements}, not over its rows")
    local: Tensor = tensor.to_local()  # type: ignore[attr-defined]
    return local


def _rows(n: int, rank: int, size: int) -> int:
    """Rows of the shard of one process, as `torch.chunk` cuts n of them."""
    step = -(-n // size)
    return max(0, min(step, n - rank * step))
