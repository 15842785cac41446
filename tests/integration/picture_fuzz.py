"""Damage pictures of every format and have a Predictor read them, in this process as users do.

    python picture_fuzz.py COUNT SEED [ONLY]

Prints one JSON object: how many were answered and refused, the slowest and the memory it took.
Ends with status 1 on the first input that breaks a promise, and writes how to make it again to
stderr; an input that hangs ends the process with a traceback of where it does. ONLY runs the
input of one number.
"""

from __future__ import annotations

import faulthandler
import io
import json
import struct
import sys
import time
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL
from PIL import Image, features

from edgeage import Predictor
from edgeage.errors import ImageError
from edgeage.images import read_image
from edgeage.testing import FakeBackend

sys.path.insert(0, str(Path(__file__).parents[1] / "fixtures"))
from own_memory import forget_peak, peak_mib

MAX_PIXELS = 1_000_000
MAX_CPU_SECONDS = 5.0
MAX_WALL_SECONDS = 120
_NUMBERS = (0, 1, 2, 7, 8, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 50_000,
            0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)  # fmt: skip


def pictures() -> dict[str, Image.Image]:
    """One picture in every mode that some format stores."""
    rng = np.random.default_rng(230)
    small = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
    rgb = small.resize((72, 56), Image.Resampling.BICUBIC)
    grey = rgb.convert("L")
    return {
        "RGB": rgb, "L": grey, "1": rgb.convert("1"), "P": rgb.convert("P"),
        "RGBA": Image.merge("RGBA", (*rgb.split(), grey)), "CMYK": rgb.convert("CMYK"),
        "LA": Image.merge("LA", (grey, grey)),
        "I;16": Image.fromarray(np.asarray(grey).astype(np.uint16) * 257),
    }  # fmt: skip


_KINDS = (
    ("JPEG", "RGB", {}), ("JPEG", "RGB", {"progressive": True, "restart_marker_blocks": 2}),
    ("JPEG", "L", {"quality": 30}), ("JPEG", "CMYK", {}), ("JPEG", "RGB", {"exif": "6"}),
    ("MPO", "RGB", {"frames": True}),
    ("PNG", "RGB", {}), ("PNG", "RGBA", {}), ("PNG", "P", {"transparency": 3}), ("PNG", "1", {}),
    ("PNG", "I;16", {}), ("PNG", "LA", {}), ("PNG", "RGB", {"frames": True}),
    ("GIF", "P", {}), ("GIF", "P", {"frames": True}),
    ("BMP", "RGB", {}), ("BMP", "P", {}), ("BMP", "1", {}),
    ("PPM", "RGB", {}), ("PPM", "L", {}), ("PPM", "I;16", {}), ("PPM", "1", {}),
    ("TIFF", "RGB", {}), ("TIFF", "RGB", {"compression": "tiff_lzw"}),
    ("TIFF", "RGB", {"compression": "jpeg"}), ("TIFF", "CMYK", {"compression": "tiff_deflate"}),
    ("TIFF", "1", {"compression": "group4"}), ("TIFF", "RGBA", {"compression": "packbits"}),
    ("TIFF", "I;16", {}), ("TIFF", "P", {"frames": True}),
    ("WEBP", "RGB", {}), ("WEBP", "RGBA", {"lossless": True}), ("WEBP", "RGB", {"frames": True}),
    ("JPEG2000", "RGB", {}), ("JPEG2000", "L", {"no_jp2": True, "irreversible": True}),
    ("AVIF", "RGB", {}), ("AVIF", "RGBA", {"frames": True}),
)  # fmt: skip


def seeds() -> dict[str, bytes]:
    """Encode a picture of every kind that this Pillow writes."""
    modes, made = pictures(), {}
    for form, mode, wanted in _KINDS:
        if form in {"AVIF", "WEBP"} and not features.check(form.lower()):
            continue
        # Before Pillow 13, rows of a fax that libtiff cannot decode are what the memory held.
        if wanted.get("compression") == "group4" and int(PIL.__version__.split(".")[0]) < 13:
            continue
        options = dict(wanted)
        if options.pop("frames", False):
            turned = modes[mode].transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            options |= {"save_all": True, "append_images": [turned]}
        if orientation := options.pop("exif", None):
            exif = Image.Exif()
            exif[0x0112] = int(orientation)
            options["exif"] = exif
        stream = io.BytesIO()
        modes[mode].save(stream, form, **options)
        made[f"{form} {mode} {wanted}"] = stream.getvalue()
    return made


def _place(rng: np.random.Generator, size: int) -> int:
    """Choose a byte, half of the time in the header, where most meaning is."""
    return int(rng.integers(min(size, 96) if rng.random() < 0.5 else size))


def truncate(data: bytes, rng: np.random.Generator) -> bytes:
    return data[: rng.integers(len(data))]


def flip_bits(data: bytes, rng: np.random.Generator) -> bytes:
    damaged = bytearray(data)
    for _ in range(rng.integers(1, 9)):
        damaged[_place(rng, len(data))] ^= 1 << rng.integers(8)
    return bytes(damaged)


def edit_number(data: bytes, rng: np.random.Generator) -> bytes:
    """Write a telling number over a field: a size, a length, an offset, a count."""
    damaged = bytearray(data)
    for _ in range(rng.integers(1, 4)):
        code = "<" if rng.random() < 0.5 else ">"
        code += "BHI"[rng.integers(3)]
        size = struct.calcsize(code)
        number = int(_NUMBERS[rng.integers(len(_NUMBERS))]) % (1 << 8 * size)
        place = _place(rng, max(len(data) - size, 1))
        damaged[place : place + size] = struct.pack(code, number)
    return bytes(damaged)


def move_slices(data: bytes, rng: np.random.Generator) -> bytes:
    start, end = sorted(_place(rng, len(data)) for _ in range(2))
    kind = rng.integers(3)
    if kind == 0:
        return data[:start] + data[end:]
    if kind == 1:
        return data[:end] + data[start:]
    return data[:start] + rng.bytes(int(rng.integers(1, 40))) + data[start:]


def _png_chunks(data: bytes) -> list[tuple[int, int]]:
    """Return the start and length of every PNG chunk's data that is whole."""
    found, place = [], 8
    while place + 12 <= len(data):
        length = int.from_bytes(data[place : place + 4], "big")
        if place + 12 + length > len(data):
            break
        found.append((place + 8, length))
        place += 12 + length
    return found


def mend_png(data: bytes) -> bytes:
    """Give a PNG's chunks the CRC of what is in them now, so that damage passes that check."""
    mended = bytearray(data)
    for start, length in _png_chunks(data):
        crc = zlib.crc32(data[start - 4 : start + length])
        mended[start + length : start + length + 4] = crc.to_bytes(4, "big")
    return bytes(mended)


MUTATIONS: tuple[Callable[[bytes, np.random.Generator], bytes], ...] = (
    truncate, flip_bits, edit_number, move_slices,
)  # fmt: skip


def damage(number: int, seed: int, made: dict[str, bytes]) -> tuple[str, bytes, bytes | None]:
    """Make the input of one number: what was done, the input, and the whole of what was cut."""
    rng = np.random.default_rng((seed, number))
    names = list(made)
    name = names[rng.integers(len(names))]
    data = made[name]
    kind = rng.random()
    if kind < 0.2:
        return f"{name}, cut", truncate(data, rng), data
    if kind < 0.3:
        other = names[rng.integers(len(names))]
        cut, start = rng.integers(len(data)), rng.integers(len(made[other]))
        return f"{name} + {other}", data[:cut] + made[other][start:], None
    done = []
    for _ in range(rng.integers(1, 4)):
        mutation = MUTATIONS[rng.integers(len(MUTATIONS))]
        done.append(mutation.__name__)
        data = mutation(data, rng) or data
    if data.startswith(b"\x89PNG") and rng.random() < 0.7:
        data = mend_png(data)
    return f"{name}, {', '.join(done)}", data, None


def check(predictor: Predictor, data: bytes, whole: bytes | None) -> bool:
    """Hold every promise for one input; return whether it was answered."""
    (result,) = predictor.predict_batch([data])
    try:
        image = read_image(data, max_pixels=MAX_PIXELS)
    except ImageError as error:
        text = str(error)
    else:
        text = ""
    if text:
        assert "\n" not in text, "an error of several lines"
        assert len(text) < 400, "an endless error"
        beyond = "more than the limit" in text
        assert beyond or result.error is not None, "answered, and could not be read"
        return False
    assert result.error is None, "refused, and could be read"
    assert len(result.faces) == 1, "no face of a picture that is one"
    assert image.dtype == np.uint8
    assert image.shape[2] == 3
    assert (read_image(data) == image).all(), "reads differently each time"
    if whole is not None:
        expected = read_image(whole)
        assert expected.shape == image.shape
        assert (expected == image).all(), "half decoded"
    return True


def main(count: int, seed: int, only: int | None = None) -> int:
    made = seeds()
    seen: Counter[str] = Counter()
    slowest = (0.0, "")
    with Predictor(backend=FakeBackend()) as predictor:
        for data in made.values():
            assert check(predictor, data, data)
        forget_peak()
        before = peak_mib()
        for number in range(count) if only is None else [only]:
            what, data, whole = damage(number, seed, made)
            faulthandler.dump_traceback_later(MAX_WALL_SECONDS, exit=True)
            started = time.process_time()
            try:
                answered = check(predictor, data, whole)
                took = time.process_time() - started
                assert took < MAX_CPU_SECONDS, f"took {took:.1f} s"
            except BaseException:
                print(f"input {number} of seed {seed}: {what}", file=sys.stderr)
                raise
            finally:
                faulthandler.cancel_dump_traceback_later()
            seen["answered" if answered else "refused"] += 1
            slowest = max(slowest, (took, f"{number}: {what}"))
    report = {**seen, "kinds": len(made), "slowest_s": slowest, "grown_mib": peak_mib() - before}
    print(json.dumps(report))
    return 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
