"""What the terminal shows: whole words in tables, bars only where there is a terminal."""

import io

import pytest
from rich.console import Console

from bench.support import console
from bench.support.console import Bar

SETTINGS = "lr=0.05, damping=1, betas=0.9,0.999"


def made(width: int, *, terminal: bool = False) -> tuple[Console, io.StringIO]:
    written = io.StringIO()
    return Console(file=written, width=width, force_terminal=terminal), written


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What is printed to a standard output of 56 columns."""
    narrow, written = made(56)
    monkeypatch.setattr(console, "out", lambda: narrow)
    return written


def test_only_words_longer_than_a_column_are_broken(printed: io.StringIO) -> None:
    """Cells are, between words; names at the left stand on one line; markup is text."""
    long = "abcdefghijklmnopqrstuvwxyz-0123456789"
    console.print_table(
        "Settings [bold]",
        (
            ["name", "settings", "from"],
            [["diag ggn", SETTINGS, "[red]here[/red]"], ["x", long, ""]],
        ),
    )
    lines = printed.getvalue().splitlines()
    assert max(map(len, lines)) <= 56
    words = printed.getvalue().split()
    assert {*SETTINGS.split(), "[red]here[/red]", "[bold]"} <= set(words)
    assert any(line.startswith("diag ggn ") for line in lines)
    assert long not in words
    pieces = [word for word in words if word in long and len(word) > 4]
    assert "".join(pieces) == long
    assert min(map(len, pieces[:-1])) >= console._UNBROKEN


def test_a_line_is_as_long_as_its_text(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However narrow the terminal is: paths can be copied. Brackets are no markup."""
    monkeypatch.setenv("COLUMNS", "40")
    console._console.cache_clear()
    text = "[bold]" + "a/path/that/goes/on " * 20
    console.say(text)
    console.complain(text)
    console.show_warning(UserWarning("Skipped: 'x'"), UserWarning, "file.py", 3)
    shown = capsys.readouterr()
    assert shown.out == f"{text}\n"
    assert shown.err == f"{text}\nWarning: Skipped: 'x'\n"
    console._console.cache_clear()


def test_sentences_are_paragraphs_broken_between_words(printed: io.StringIO) -> None:
    console.tell()
    assert printed.getvalue() == ""
    console.tell("One [bold] two three.", "word " * 20)
    first, *rest = printed.getvalue().splitlines()
    assert first == "One [bold] two three."
    assert rest[-1] == ""
    assert " ".join(rest).split() == ["word"] * 20


def test_without_a_terminal_lines_take_the_place_of_a_bar() -> None:
    to, written = made(20)
    with Bar(to, "runs") as bar:
        assert not bar.live
        bar.update(description="sgd, seed 0", completed=1, total=3, left="about 9 s left")
        assert written.getvalue() == ""
        bar.line("sgd, seed 0: [completed] in 3 s")
        bar.note("A note.")
    assert written.getvalue() == "sgd, seed 0: [completed] in 3 s\nA note.\n"


def test_on_a_terminal_a_bar_takes_the_place_of_lines() -> None:
    to, written = made(80, terminal=True)
    with Bar(to, "runs") as bar:
        assert bar.live
        bar.line("not shown")
        bar.update(description="sgd, seed 0", completed=1, total=3, left="about 9 s left")
        bar.note("A note.")
    shown = written.getvalue()
    assert "not shown" not in shown
    for text in ("sgd, seed 0", "1/3 runs, ", "about 9 s left", "A note.\n"):
        assert text in shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(-3.0, "about 0 s left"), (89.4, "about 89 s left"), (90, "about 2 min left")],
)
def test_the_time_left_is_in_seconds_or_minutes(seconds: float, shown: str) -> None:
    assert console.time_left(seconds) == shown
    assert console.time_left(60, "at most") == "at most 60 s left"
