"""What pyproject.toml cannot say: a wheel carries the top-level data folders inside the package.

``edgeage.paths.data_dir`` finds them there, and beside the package in a source tree.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
DATA_FILES = (
    "prototxt/*.prototxt",
    "caffe_models/*.caffemodel",
    "caffe_models/*.json",
    "caffe_models/*.toml",
    "caffe_models/*.npy",
    "caffe_models/*.md",
    "compile/*.toml",
    "datasets/*.sha256",
    "datasets/*.toml",
    "models/*.json",
    "models/*.md",
    "models/*.onnx",
    "models/*.toml",
    "models/recipes/*.toml",
    "examples/test_0.png",
)


class BuildWithData(build_py):
    """Build the modules, then copy the data files into ``edgeage/_data`` of the build."""

    def run(self) -> None:
        """Build; an editable installation reads the data where they lie."""
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib, "edgeage", "_data")
        shutil.rmtree(target, ignore_errors=True)
        for source in data_files():
            copy = target / source.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, copy)


def data_files() -> list[Path]:
    """Return the data files a wheel carries, sorted."""
    return sorted(path for pattern in DATA_FILES for path in ROOT.glob(pattern))


setup(cmdclass={"build_py": BuildWithData})
