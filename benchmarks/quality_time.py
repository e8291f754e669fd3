"""Quality against training time: trecs' validation curve beside those of the peers.

    make quality-time

The peers' curves are read from benchmarks/peers/results, so run them in the same session on the
same machine. All score the same sample of validation targets after each epoch; seconds are those of
training alone. trecs' curve is that of the network, before the neighbour terms are weighed, which
happens once after training.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from trecs import api
from trecs.config import load_config

PEERS = Path(__file__).parent / "peers" / "results"


@dataclass(frozen=True)
class Curve:
    """Validation NDCG@10 after so many seconds of training, an entry an epoch."""

    name: str
    seconds: list[float]
    ndcg: list[float]


def train(data: str, seed: int) -> Curve:
    """The curve of the default model."""
    config = load_config(overrides=[f"training.seed={seed}"])
    dataset, _ = api.load_data(data, None, config)
    with tempfile.TemporaryDirectory() as folder:
        rows = api.train(dataset, Path(folder) / "run", config, verbose=0).learning_curve
    seconds = np.cumsum([row["train_seconds"] for row in rows]).tolist()
    return Curve("trecs", seconds, [row["val_ndcg@10"] for row in rows])


def peer_curves(data: str) -> list[Curve]:
    """The peers' curves on the temporal split; those without times are left out."""
    found = []
    for path in sorted((PEERS / data / "temporal").glob("*.json")):
        record = json.loads(path.read_text())
        if record.get("curve_train_s"):
            name = f"{record['peer']} {record['model']}"
            found.append(Curve(name, record["curve_train_s"], record["curve"]))
    return found


def compare(own: Curve, peer: Curve) -> str:
    """A row: when the peer was best, when trecs reached that, and the ratio."""
    best = int(np.argmax(peer.ndcg))
    reached = np.flatnonzero(np.array(own.ndcg) >= peer.ndcg[best])
    cells = [peer.name, f"{peer.ndcg[best]:.4f}", f"{peer.seconds[best]:.0f} s"]
    if not reached.size:
        return f"| {' | '.join([*cells, 'never', ''])} |"
    seconds = own.seconds[reached[0]]
    cells += [f"{seconds:.0f} s", f"1/{peer.seconds[best] / seconds:.1f}"]
    return f"| {' | '.join(cells)} |"


def draw(curves: list[Curve], path: Path) -> None:
    """Write the picture."""
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for curve in curves:
        axes.plot(curve.seconds, curve.ndcg, marker=".", label=curve.name)
    axes.set(xscale="log", xlabel="seconds of training", ylabel="validation NDCG@10")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Train, read, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="movielens-100k")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--picture", type=Path, default=Path("docs/quality-time.svg"))
    options = parser.parse_args()
    peers = peer_curves(options.data)
    if not peers:
        parser.error(f"no peer's curve with times in {PEERS}; run benchmarks/peers/run first")
    own = train(options.data, options.seed)
    print("| peer | its best validation NDCG@10 | after | trecs reaches it after | ratio |")
    print("|---|---|---|---|---|")
    for peer in peers:
        print(compare(own, peer))
    draw([own, *peers], options.picture)


if __name__ == "__main__":
    main()
