"""Every command in README.md, docs/ and the examples' READMEs is run as it stands. The convention for documents:

- The blocks of one document run from top to bottom in one directory, which looks like a checkout of the project: all
  its files and `bundles/efficientnet-lite`, made already. For what a reader brings along there are `photo.jpg`,
  `photos/*.jpg`, and a small classifier of 8 x 8 pixels, `model.onnx` with `labels.txt`. Every block is a shell of its
  own: files last from block to block, variables do not.
- ```sh, ```bash     commands; each must succeed. `python`, `midspan`, … are those of the environment of the tests.
- ```console         the same, where lines that begin with "$ " are commands and the others show what they print.
- ```sh server       a command that stays. The next block runs once it has printed "ready", "listening" or "Ctrl-C".
                     It ends, by Ctrl-C, at the end of the document, or where the prose says "Press Ctrl-C".
- ```python          a program, run with warnings as errors.
- ```toml NAME       (any language, any name without "/") a file: it is written, for the next blocks to use.
- ```python a/b.py   (any language, a name with "/") an excerpt: it must stand in that file of the project.
- ```text, others    not run. For what cannot run here, such as docker; say why in the prose, and keep those few.

Where `make` is told to make the environment, or pip to install something, what is there already is taken. A block that
needs a web server on a fixed port finds the ports of midspan.toml free: documents run one at a time.
"""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest
from documents import SHELLS, DocumentError, Runner, blocks_of, commands_of

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("examples/*/README.md")])
RUNNABLE = re.compile(r"^(?:\$ )?((?:make|midspan|python|pip|curl|pytest)\b.*?)(?: +#.*)?$", re.MULTILINE)
NEVER_RUN = {"make test"}  # it runs these tests
LANGUAGES = {"sh", "bash", "console", "python", "toml", "yaml", "json", "text", "mermaid"}


def name_of(document: Path) -> str:
    return str(document.relative_to(ROOT))


every_document = pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)


@every_document
@pytest.mark.timeout(1800)
def test_every_command_runs(document, checkout, reader, one_at_a_time):
    try:
        with Runner(name_of(document), checkout, reader) as runner:
            runner.run(document.read_text("utf-8"))
    except DocumentError as error:
        pytest.fail(str(error), pytrace=False)


@every_document
def test_fences_keep_the_convention(document):
    for block in blocks_of(document.read_text("utf-8")):
        where = f"{name_of(document)}:{block.line}"
        assert block.language in LANGUAGES or not block.code, f"{where}: unknown language {block.language!r}"
        if block.language in SHELLS:
            assert block.option in ("", "server"), f"{where}: unknown option {block.option!r}"
            assert commands_of(block).strip(), f"{where}: no command"


@every_document
def test_no_command_hides_in_a_block_that_is_not_run(document):
    for block in blocks_of(document.read_text("utf-8")):
        if block.language == "text":
            hidden = set(RUNNABLE.findall(block.code)) - NEVER_RUN
            assert not hidden, f"{name_of(document)}:{block.line}: could be run: {', '.join(sorted(hidden))}"


@every_document
def test_excerpts_stand_in_their_files(document):
    for block in blocks_of(document.read_text("utf-8")):
        if "/" in block.option:
            source = textwrap.dedent((ROOT / block.option).read_text("utf-8"))
            lines = [line.strip() for line in source.splitlines()]
            wanted = [line.strip() for line in block.code.splitlines()]
            found = any(lines[at : at + len(wanted)] == wanted for at in range(len(lines)))
            assert found, f"{name_of(document)}:{block.line}: these lines do not stand in {block.option}\n{block.code}"


@every_document
def test_links_lead_somewhere(document):
    text = re.sub(r"```.*?```", "", document.read_text("utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if not re.match(r"https?:|mailto:", target):
            assert (document.parent / target).exists(), f"{name_of(document)}: {target} is not there"
