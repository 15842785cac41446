"""``edgeage stream``: follow the faces of a camera, a video or a network stream."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from edgeage.cli.output import open_text, reader_gone
from edgeage.cli.predicting import Predicting, predictor_options
from edgeage.cli.serving import WEB_OPTIONS, Serving, web_options
from edgeage.cli.talk import talk
from edgeage.cli.workoptions import work_options
from edgeage.errors import UsageError
from edgeage.paths import refuse_taken

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgeage.streaming import Play, Sink, StreamOptions

__all__ = ["command"]

_PATH = click.Path(path_type=Path)


@click.command("stream")
@click.argument("source")
@click.option("--show", is_flag=True, help="Show the picture in a window; q or Esc ends.")
@click.option("--save", type=_PATH, help="Write the picture to a video: .mp4, .avi or .webm.")
@click.option(
    "--jsonl",
    type=_PATH,
    metavar="FILE|-",
    help="Write one line of JSON an event, - to standard output.  [default: - unless there is "
    "another output]",
)
@click.option(
    "--serve",
    "port",
    type=click.IntRange(0, 65535),
    metavar="PORT",
    help="Show it on a web page; 0 for any free port. --host, --token, --max-body, --max-pixels, "
    "--rate, --queue and --viewers are the page's.",
)
@click.option("--overwrite", is_flag=True, help="Replace what --save and --jsonl find there.")
@click.option("--blur", is_flag=True, help="Make faces unrecognisable in every picture.")
@click.option("--aggregate", is_flag=True, help="Tell counts only: no boxes and no tracks.")
@click.option(
    "--every",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    metavar="N",
    help="Look at one of N frames.",
)
@click.option(
    "--max-fps",
    type=click.FloatRange(0, 1000, min_open=True),
    metavar="F",
    help="Look at F frames a second at most; a file is read that slowly.",
)
@click.option(
    "--detect-every",
    type=click.IntRange(1),
    metavar="N",
    help="Search one of N frames for faces; in between look only where they should be by now.  "
    "[default: 8; 1 with --blur]",
)
@click.option(
    "--refresh",
    type=click.IntRange(1),
    default=30,
    show_default=True,
    metavar="N",
    help="Estimate a face's age and gender again after N frames at the latest.",
)
@click.option(
    "--reconnect",
    type=click.FloatRange(0),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How long a lost camera or address is tried again.",
)
@web_options
@predictor_options
@work_options
def command(
    source: str,
    show: bool,
    save: Path | None,
    jsonl: Path | None,
    port: int | None,
    overwrite: bool,
    blur: bool,
    aggregate: bool,
    every: int,
    max_fps: float | None,
    detect_every: int | None,
    refresh: int,
    reconnect: float,
    **settings: Any,
) -> int:
    """Follow the faces of a camera, a video or a network stream.

    SOURCE is a camera's number (0 is the first), /dev/videoN, a video file, a folder of frames,
    or an rtsp://, http:// or https:// address. Ctrl-C ends it, with the summary. A camera's frames
    that come too fast are dropped, a file's never.
    """
    # Before OpenCV is loaded: what its readers print besides the one line of the error.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    from edgeage.streaming import Play, StreamOptions

    if blur and detect_every not in (None, 1):
        raise UsageError("--blur searches every frame, or a face could go unseen; leave out "
                         "--detect-every")  # fmt: skip
    options = StreamOptions(
        every=every,
        max_fps=max_fps,
        detect_every=detect_every or (1 if blur else StreamOptions.detect_every),
        refresh=refresh,
        reconnect_s=reconnect,
    )
    web = {name: settings.pop(name) for name in WEB_OPTIONS}
    serving = None if port is None else Serving(**web)
    with talk(), contextlib.ExitStack() as stack:
        predicting = stack.enter_context(Predicting(**settings))
        if jsonl is None and not (save or show or serving):
            jsonl = Path("-")
        events = None if jsonl is None else _events(stack, jsonl, overwrite)
        sinks = list(_sinks(stack, source, options, show, save, events, overwrite))
        if serving is not None and port is not None:
            sinks.append(_page(stack, serving, predicting, port))
        stream = predicting.open().stream(source, options=options)
        if events is not None and str(jsonl) != "-" and events.seekable():
            events.truncate(0)
        play = Play(stream, sinks, blur=blur, aggregate=aggregate)
        with _ended_by_signals(play):
            try:
                event = play.run()
            except BrokenPipeError:
                raise reader_gone() from None
    if play.error is not None:
        if event["frames"]:
            click.echo(_summary(event), err=True)
        raise play.error
    click.echo(_summary(event), err=True)
    return 0


def _sinks(
    stack: contextlib.ExitStack,
    source: str,
    options: StreamOptions,
    show: bool,
    save: Path | None,
    events: TextIO | None,
    overwrite: bool,
) -> Iterator[Sink]:
    """Open what the frames go to, before anything heavy is."""
    from edgeage.fetching import public_url
    from edgeage.streaming import JsonLines, open_source, video_file, window

    open_source(source)
    if save is not None:
        yield stack.enter_context(video_file(save, fps=options.max_fps, overwrite=overwrite))
    if show:
        yield stack.enter_context(window(f"edgeage {public_url(source)}"))
    if events is not None:
        yield JsonLines(events)


def _events(stack: contextlib.ExitStack, path: Path, overwrite: bool) -> TextIO:
    """Open where the events go; what a file holds stays until the models are there."""
    if str(path) == "-":
        return stack.enter_context(open_text(None))
    refuse_taken(path, overwrite=overwrite)
    return stack.enter_context(path.open("a", encoding="utf-8"))


def _page(stack: contextlib.ExitStack, serving: Serving, predicting: Predicting, port: int) -> Sink:
    """Serve the page until the stack is closed."""
    from edgeage.streaming import PublisherSink
    from edgeage.streaming.web import Hub

    hub = Hub()
    stack.enter_context(serving.page(predicting.open(), port, hub))
    return PublisherSink(hub)


@contextlib.contextmanager
def _ended_by_signals(play: Play) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end the stream well, and the second of them at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    seen: list[int] = []

    def handle(number: int, _frame: object) -> None:
        if seen:
            raise KeyboardInterrupt
        seen.append(number)
        play.interrupt()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _summary(event: dict[str, Any]) -> str:
    late = event["latency_ms"]
    late_text = ", ".join(f"{name} {value:.0f} ms" for name, value in late.items())
    return (
        f"{event['frames']} frames in {event['seconds']:.1f} s, {event['fps']:.1f} a second; "
        f"{event['dropped']} dropped, {event['skipped']} passed over; "
        f"latency {late_text or 'unknown'}; {event['tracks']} tracks"
    )
