"""The runner of documents itself: a wrong command must be found, and named."""

from __future__ import annotations

import os
import sys

import psutil
import pytest
from documents import DocumentError, Runner, blocks_of, commands_of

SERVER = "python -c 'import time; print(\"ready\", flush=True); time.sleep(600)'"


@pytest.fixture
def run(tmp_path):
    env = {**os.environ, "PATH": f"{sys.prefix}/bin{os.pathsep}{os.environ['PATH']}"}

    def run(text, **options):
        with Runner("a.md", tmp_path, env, **options) as runner:
            runner.run(text)
        return tmp_path

    return run


def test_blocks_are_found_where_they_stand():
    text = (
        "# A\n\n```sh\necho 1\n```\n- item\n  ```toml x.toml\n  a = 1\n    b = 2\n  ```\nPress Ctrl-C.\n```text\n```\n"
    )
    shell, toml, rest = blocks_of(text)
    assert (shell.line, shell.language, shell.option, shell.code, shell.stops) == (4, "sh", "", "echo 1\n", False)
    assert (toml.line, toml.language, toml.option, toml.code) == (8, "toml", "x.toml", "a = 1\n  b = 2\n")
    assert (rest.language, rest.stops) == ("text", True)


def test_a_longer_fence_holds_a_shorter_one():
    assert [block.code for block in blocks_of("````text\n```sh\nfalse\n```\n````\n")] == ["```sh\nfalse\n```\n"]


def test_a_block_must_be_closed():
    with pytest.raises(DocumentError, match="begins in line 3 is never closed"):
        blocks_of("\n```sh\necho\n")


def test_of_a_console_block_only_what_follows_the_prompt_is_run():
    [block] = blocks_of("```console\n$ echo 1\n1\n$ echo 2\n```\n")
    assert commands_of(block) == "echo 1\n\necho 2\n"


def test_blocks_share_files_and_no_variables(run):
    directory = run("```toml a.toml\nx = 1\n```\n```sh\ngrep x a.toml > b\n```\n")
    assert (directory / "b").read_text() == "x = 1\n"
    with pytest.raises(DocumentError, match="V: unbound variable"):
        run("```sh\nV=1\n```\n```sh\necho $V\n```\n")


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ("```sh\ntrue\nfalse\necho on\n```", r"a\.md:5: ended with status 1[\s\S]*a\.md: line 6: status 1"),
        ("```sh\nfalse | true\n```", "status 1"),
        ("```sh\nno-such-command\n```", "a.md: line 5: no-such-command: command not found"),
        ("```python\n\nraise ValueError(3)\n```", r"line 6, in <module>[\s\S]*ValueError: 3"),
        ("```sh server\nexit 3\n```", "the server ended with status 3"),
        ("```python\nimport warnings\nwarnings.warn('old')\n```", "line 6, in <module>[\\s\\S]*UserWarning: old"),
    ],
)
def test_a_failure_names_the_line_and_shows_what_was_printed(run, block, said):
    with pytest.raises(DocumentError, match=said):
        run(f"# A\n\nText.\n{block}\n")


def test_a_command_that_never_ends_is_ended(run):
    with pytest.raises(DocumentError, match="still runs after 1 s"):
        run("```sh\nsleep 600 & sleep 600\n```\n", timeout_s=1)
    assert not [child for child in psutil.Process().children(recursive=True) if child.name() == "sleep"]


def test_a_server_runs_until_ctrl_c(run):
    alive = f"```sh server\necho $$ > pid\n{SERVER}\n```\n```sh\nkill -0 $(cat pid)\n```\n"
    run(alive)
    with pytest.raises(DocumentError, match="No such process"):
        run(f"{alive}Press Ctrl-C.\n```sh\nkill -0 $(cat pid)\n```\n")


def test_a_server_must_not_end_by_itself(run):
    wait = "import psutil\nwhile psutil.Process(int(open('pid').read())).status() != 'zombie': pass\n"
    with pytest.raises(DocumentError, match="the server ended by itself with status 4"):
        run(f"```sh server\necho $$ > pid\necho ready\nexit 4\n```\n```text wait\n{wait}```\n```sh\npython wait\n```\n")


def test_a_server_must_end_well(run):
    with pytest.raises(DocumentError, match="the server ended with status 7 after Ctrl-C"):
        run(f"```sh server\ntrap 'exit 7' INT\n{SERVER}\n```\n")


def test_after_a_failure_no_server_is_left(run, tmp_path):
    with pytest.raises(DocumentError):
        run(f"```sh server\necho $$ > pid\n{SERVER}\n```\n```sh\nfalse\n```\n")
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))
