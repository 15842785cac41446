"""What ``edgeage infer`` reads and writes: formats, sources and drawn pictures."""

from __future__ import annotations

import contextlib
import csv
import http.server
import json
import subprocess
import sys
import threading

import cv2
import pytest


class TestFormats:
    """One run a format; what each holds exactly is in tests/unit/cli/test_output.py."""

    def test_csv_into_a_file(self, infer, pictures, tmp_path):
        (pictures / "c.png").write_bytes(b"no picture")
        done = infer(pictures, "--format", "csv", "--output", tmp_path / "faces.csv")
        assert (done.exit_code, done.stdout) == (1, "")
        with (tmp_path / "faces.csv").open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        assert [bool(row["error"]) for row in rows] == [False, False, True, False]
        assert {row["face"] for row in rows} == {"1", ""}
        again = infer(pictures, "--output", tmp_path / "faces.csv")
        assert (again.exit_code, again.stdout) == (2, "")
        assert "faces.csv is already there; pass --overwrite to replace it" in again.stderr

    def test_json_lines_are_the_results_of_json(self, infer, pictures):
        lines = infer(pictures, "--format", "jsonl").stdout.splitlines()
        document = json.loads(infer(pictures, "--json").stdout)
        assert list(document) == ["results", "timing"]
        for line, result in zip(lines, document["results"], strict=True):
            assert json.loads(line)["image"] == result["image"]
            (face,), (same,) = json.loads(line)["faces"], result["faces"]
            assert face["age_probabilities"] == pytest.approx(same["age_probabilities"], abs=1e-5)

    def test_a_table_is_aligned(self, infer, pictures):
        (pictures / "a.png").rename(pictures / "a_longer_name.png")
        lines = infer(pictures).stdout.splitlines()
        assert {line.index("  age group") for line in lines} == {len("a_longer_name.png")}
        assert len({line.rindex("  CPU") for line in lines}) == 1

    def test_json_and_another_format_are_a_wrong_call(self, infer, pictures):
        done = infer(pictures, "--json", "--format", "csv")
        assert (done.exit_code, done.stdout) == (2, "")
        assert infer(pictures / "a.png", "--json", "--format", "json").exit_code == 0

    def test_a_failed_run_leaves_no_file(self, infer, pictures, tmp_path):
        done = infer(pictures, "--device", "GPU.9", "--output", tmp_path / "out.json", "--json")
        assert done.exit_code == 1
        assert not (tmp_path / "out.json").exists()

    def test_a_reader_that_leaves_early_is_no_fault(self, compiled_models, pictures):
        code = "from edgeage.cli.main import main; raise SystemExit(main())"
        words = ["infer", "--models", compiled_models, "--format", "jsonl", *[pictures] * 30]
        with subprocess.Popen(
            [sys.executable, "-c", code, *map(str, words)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            process.stdout.readline()
            process.stdout.close()
            assert (process.stderr.read(), process.wait()) == (b"", 1)


class TestSources:
    def test_standard_input(self, infer, pictures, monkeypatch, tmp_path):
        with (pictures / "a.png").open() as stream:
            monkeypatch.setattr("sys.stdin", stream)
            done = infer("-", "--json", "--save", tmp_path / "out")
        assert (done.exit_code, done.stderr) == (0, "")
        assert json.loads(done.stdout)["results"][0]["image"] == "<stdin>"
        assert [path.name for path in (tmp_path / "out").iterdir()] == ["stdin.png"]

    def test_patterns(self, infer, pictures):
        done = infer(f"{pictures}/**/a.*", f"{pictures}/*.gif", "--json")
        found = [result["image"] for result in json.loads(done.stdout)["results"]]
        assert found == [str(pictures / name) for name in ("a.png", "deep/a.png", "*.gif")]
        assert done.stderr == f"Error: {pictures}/*.gif matches no file\n"

    def test_an_address_is_fetched_once_and_drawn(self, infer, pictures, tmp_path):
        with serving(pictures) as (url, asked):
            done = infer(f"{url}/a.png?size=1", f"{url}/none.png", "--save", tmp_path / "out")
        assert done.exit_code == 1
        assert done.stdout.startswith("a.png?size=1  age group")
        assert done.stderr == (
            f"Error: {url}/none.png cannot be fetched: the server answered 404 Not Found\n"
        )
        assert asked == ["/a.png?size=1", "/none.png"]
        assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.png"]


@contextlib.contextmanager
def serving(folder):
    """Serve a folder's files; yields the address and the list of what was asked for."""
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=folder)

        def log_message(self, *_):
            asked.append(self.path)

        def log_error(self, *_):
            """What was asked for is all that counts."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
        server.shutdown()


class TestSave:
    def test_one_picture_into_a_file(self, infer, pictures, tmp_path):
        done = infer("--image", pictures / "a.png", "--save", tmp_path / "out.jpg")
        assert done.exit_code == 0
        assert cv2.imread(str(tmp_path / "out.jpg")).shape[0] >= 320

    def test_several_into_a_folder_each_its_own_name(self, infer, pictures, tmp_path):
        assert infer(pictures, "--save", tmp_path / "out").exit_code == 0
        assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
            "a.png", "a_2.png", "b.png",
        ]  # fmt: skip

    def test_several_into_one_file_is_refused_before_any_work(self, infer, pictures, tmp_path):
        done = infer(pictures, "--save", tmp_path / "out.png")
        assert (done.exit_code, done.stdout) == (2, "")
        assert "is one picture for several; name a folder" in done.stderr

    def test_nothing_is_replaced_unless_asked(self, infer, pictures, tmp_path):
        call = ["--image", pictures / "a.png", "--save", tmp_path / "out.png"]
        (tmp_path / "out.png").write_bytes(b"mine")
        refused = infer(*call)
        assert (refused.exit_code, refused.stdout) == (2, "")
        assert (tmp_path / "out.png").read_bytes() == b"mine"
        assert infer(*call, "--overwrite").exit_code == 0
        assert (tmp_path / "out.png").read_bytes() != b"mine"
