"""Train the stroke network: `python -m training.train FONTS PICTURES OUT`.

README.md says what to give it. Examples are made up while it trains, in processes of their own; each is used `REUSE`
times. Held-out fonts and pictures say how good it is. `OUT` gets the state so far; training can go on from there.
"""

from __future__ import annotations

import argparse
import math
import random
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from inpaint_service.lines import HEIGHT_PX, WIDTH_PX
from training.examples import CHANNELS, Example, examples
from training.materials import Materials
from training.network import Strokes, loss, whole_logits

SEED = 20261122
BATCH = 16
REUSE = 4
POOL = 16000
RATE = 3e-3
HELD_OUT = 512
AVERAGED = 0.999
"""How much of the averaged weights, which are kept, a step leaves as they were."""
DOUBT = 16.0
OUTSIDE = 0.3
"""What a pixel outside the region counts: there other lines may stand, which nobody asks for."""


class Stream(IterableDataset[Example]):  # type: ignore[misc]
    """Examples without end; each worker has its own seed."""

    def __init__(self, materials: Materials, seed: int):
        self._materials = materials
        self._seed = seed

    def __iter__(self):  # type: ignore[no-untyped-def]
        worker = get_worker_info()
        return examples(self._materials, self._seed + (worker.id if worker else 0))


def inputs(batch: NDArray[np.uint8]) -> tuple[Tensor, Tensor, Tensor]:
    """Return what the network sees, the truth and the weights of (N, 64, 256, 5) uint8 examples."""
    told = torch.from_numpy(batch).permute(0, 3, 1, 2).float()
    rgb, region, ink = told[:, :3], told[:, 3:4] / 255, told[:, 4:] / 255
    mean, spread = rgb.mean(dim=(1, 2, 3), keepdim=True), rgb.std(dim=(1, 2, 3), keepdim=True)
    seen = torch.cat(((rgb - mean) / (spread + DOUBT), region), dim=1)
    below = torch.nn.functional.max_pool2d(region, (17, 1), 1, (8, 0))
    near = torch.nn.functional.max_pool2d(below, (1, 17), 1, (0, 8))  # one side after the other is ten times as fast
    return seen, (ink * 1.5).clamp(max=1), OUTSIDE + (1 - OUTSIDE) * near


def varied(batch: NDArray[np.uint8], rng: random.Random) -> NDArray[np.uint8]:
    """Mirror a batch, swap its channels or turn it negative."""
    order = [*rng.sample(range(3), 3), 3, 4] if rng.random() < 0.3 else list(range(CHANNELS))
    out = batch[:, :: rng.choice((1, -1)), :: rng.choice((1, -1)), order] if rng.random() < 0.4 else batch[..., order]
    if rng.random() < 0.25:
        out = np.concatenate((255 - out[..., :3], out[..., 3:]), axis=3)
    return np.ascontiguousarray(out)


def scores(network: nn.Module, held_out: NDArray[np.uint8], threshold: float = 0.4) -> tuple[float, float, float]:
    """Return loss, recall and precision within the regions, over all pixels."""
    network.eval()
    hit = missed = wrong = total = 0.0
    with torch.no_grad():
        for start in range(0, len(held_out), 64):
            seen, ink, weights = inputs(held_out[start : start + 64])
            logits = whole_logits(network, seen)
            total += float(loss(logits, ink, weights)) * len(seen)
            inside, found, true = weights > 0.99, torch.sigmoid(logits) > threshold, ink > 0.5
            hit += float((found & true & inside).sum())
            missed += float((~found & true & inside).sum())
            wrong += float((found & ~true & inside).sum())
    network.train()
    return total / len(held_out), hit / (hit + missed), hit / (hit + wrong)


def rate(share: float) -> float:
    """Return the learning rate at this share of the training: a quick rise, then half a cosine."""
    return RATE * min(1.0, share / 0.03) * (0.5 + 0.5 * math.cos(math.pi * min(share, 1.0))) + 1e-5


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("fonts", type=Path)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=90)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--resume", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    args.out.mkdir(parents=True, exist_ok=True)
    index = args.out / "materials.json"
    held_out = _held_out(Materials(args.fonts, args.pictures, index, test=True), args.out / "held_out.npy")
    stream = Stream(Materials(args.fonts, args.pictures, index, test=False), args.seed)
    fresh = iter(DataLoader(stream, batch_size=BATCH // REUSE, num_workers=args.workers, prefetch_factor=64))
    network = Strokes().to(memory_format=torch.channels_last)
    if args.resume:
        network.load_state_dict(torch.load(args.resume))
    _train(network, fresh, held_out, args)


def _held_out(materials: Materials, path: Path) -> NDArray[np.uint8]:
    if not path.exists():
        source = examples(materials, SEED - 1)
        np.save(path, np.stack([next(source) for _ in range(HELD_OUT)]))
    return np.asarray(np.load(path), np.uint8)


def _train(network: Strokes, fresh, held_out: NDArray[np.uint8], args: argparse.Namespace) -> None:  # type: ignore[no-untyped-def]
    optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=1e-3)
    averaged = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(AVERAGED), use_buffers=True)
    rng = random.Random(args.seed)
    pool = np.zeros((POOL, HEIGHT_PX, WIDTH_PX, CHANNELS), np.uint8)
    filled = step = 0
    began = told = time.monotonic()
    running = 0.0
    while (share := (time.monotonic() - began) / (60 * args.minutes)) < 1:
        new = next(fresh).numpy()
        places = [(filled + index) if filled + index < POOL else rng.randrange(POOL) for index in range(len(new))]
        pool[places] = new
        filled = min(POOL, filled + len(new))
        seen, ink, weights = inputs(varied(pool[[rng.randrange(filled) for _ in range(BATCH)]], rng))
        for group in optimizer.param_groups:
            group["lr"] = rate(share)
        with torch.autocast("cpu", torch.bfloat16):
            logits = whole_logits(network, seen)
        cost = loss(logits.float(), ink, weights)
        optimizer.zero_grad()
        cost.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        averaged.update_parameters(network)
        step += 1
        running += (float(cost.detach()) - running) / min(step, 200)
        if time.monotonic() - told > 300 or share + 1e-3 > 1:
            told = time.monotonic()
            held, recall, precision = scores(averaged, held_out)
            print(
                f"{share:4.0%} step {step} loss {running:.3f} held out {held:.3f} {recall:.3f} {precision:.3f}",
                flush=True,
            )
            torch.save(averaged.module.state_dict(), args.out / "strokes.pt")


if __name__ == "__main__":
    main()
