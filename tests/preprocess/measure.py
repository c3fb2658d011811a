"""How far from the reference, and how much faster: the table in docs/preprocessing.md.

python tests/preprocess/measure.py [--images DIR] [--bundle DIR] [--rounds N] [--margin M] [--json]
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from functools import partial
from importlib import import_module
from pathlib import Path

import numpy as np
from pictures import PREP, encode, exif, photos, tensor
from PIL import Image

from midspan import bundle
from midspan.zoo.reference import reference_tensor

LARGE_PX = (4000, 3000)


def enlarged(image, size_px):
    """A larger picture with the grain of a camera: no enlargement has detail at the scale of a pixel by itself."""
    large = np.asarray(image.resize(size_px, Image.Resampling.LANCZOS), np.float32)
    grain = np.random.default_rng(0).normal(0, 4, large.shape)
    return Image.fromarray(np.clip(large + grain, 0, 255).astype(np.uint8))


def times(image, factor):
    return enlarged(image, (image.width * factor, image.height * factor))


def cases(images):
    """Pairs of a name and the payloads to send. `images` are pairs of a file's bytes and its picture."""
    yield "as they are", [payload for payload, _ in images]
    yield "as JPEG on its side", [encode(image, "JPEG", quality=90, exif=exif(6)) for _, image in images]
    yield "as PNG", [encode(image, "PNG") for _, image in images]
    yield "as WebP", [encode(image, "WEBP") for _, image in images]
    for factor in (2, 4):
        yield f"{factor} x as JPEG", [encode(times(image, factor), "JPEG", quality=90) for _, image in images]
    large = enlarged(images[len(images) // 2][1], LARGE_PX)
    yield "one, 12 MP JPEG", [encode(large, "JPEG", quality=90)]
    yield "one, 12 MP progressive JPEG", [encode(large, "JPEG", quality=90, progressive=True)]
    yield "one, 12 MP PNG", [encode(large, "PNG", compress_level=3)]
    yield "one, 12 MP WebP", [encode(large, "WEBP", quality=80, method=0)]


def cpu_seconds(work):
    """The processor's time, not the clock's: neighbours on a busy machine take the latter alone."""
    start = time.process_time()
    work()
    return time.process_time() - start


def measure(name, payloads, preprocessing, rounds, classify):
    """One row of the table; the two ways take turns, so that a busy machine slows both."""
    units = np.asarray(preprocessing.std, np.float32).reshape(3, 1, 1)
    means, worst, ours_s, reference_s, agreed = [], [], [], [], 0
    for payload in payloads:
        ours, reference = tensor(payload, preprocessing), reference_tensor(payload, preprocessing)
        gap = np.abs(ours - reference) * units
        means.append(float(gap.mean()))
        worst.append(float(gap.max()))
        agreed += classify is not None and int(classify(ours)) == int(classify(reference))
        ours_once = partial(tensor, payload, preprocessing)
        reference_once = partial(reference_tensor, payload, preprocessing)
        pairs = [(cpu_seconds(ours_once), cpu_seconds(reference_once)) for _ in range(rounds)]
        ours_s.append(min(pair[0] for pair in pairs))
        reference_s.append(min(pair[1] for pair in pairs))
    return {
        "pictures": name,
        "count": len(payloads),
        "mean_difference": statistics.mean(means),
        "worst_mean_difference": max(means),
        "max_difference": max(worst),
        "ours_ms": 1000 * statistics.mean(ours_s),
        "reference_ms": 1000 * statistics.mean(reference_s),
        "speed_ratio": statistics.mean(reference_s) / statistics.mean(ours_s),
        "top1_agreement": None if classify is None else agreed / len(payloads),
    }


def classifier(variant):
    """From a tensor to the index of the best class."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(variant.path))
    return lambda pixels: session.run(None, {variant.input_name: pixels})[0].argmax()


def table(rows):
    yield "| pictures | n | mean | worst mean | max | ours, ms | reference, ms | times as fast | same top-1 |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for row in rows:
        top1 = "" if row["top1_agreement"] is None else f"{row['top1_agreement']:.1%}"
        yield (
            f"| {row['pictures']} | {row['count']} | {row['mean_difference']:.3f} | {row['worst_mean_difference']:.3f} "
            f"| {row['max_difference']:.0f} | {row['ours_ms']:.1f} | {row['reference_ms']:.1f} "
            f"| {row['speed_ratio']:.2f} | {top1} |"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", type=Path, help="a directory of JPEGs; by default foolbox's photos")
    parser.add_argument("--count", type=int, default=20, help="at most as many of them")
    parser.add_argument("--bundle", type=Path, help="also compare the best class of the default variant")
    parser.add_argument("--rounds", type=int, default=5, help="timings of each picture; the least disturbed counts")
    parser.add_argument("--margin", type=float, help="another DECODE_MARGIN")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if arguments.margin:
        import_module("midspan.preprocess.prepare").DECODE_MARGIN = arguments.margin
    paths = sorted(arguments.images.glob("*.jpg")) if arguments.images else photos()
    images = [(path.read_bytes(), Image.open(path).convert("RGB")) for path in paths[: arguments.count]]
    preprocessing, classify = PREP, None
    if arguments.bundle:
        family = bundle.load(arguments.bundle)
        variant = family.variant(family.default)
        preprocessing, classify = variant.preprocessing, classifier(variant)
    rows = [measure(*case, preprocessing, arguments.rounds, classify) for case in cases(images)]
    print(json.dumps(rows, indent=1) if arguments.json else "\n".join(table(rows)))


if __name__ == "__main__":
    main()
