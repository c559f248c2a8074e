"""Every command in the README and the docs works as it's written there.

They run in a copy of the project, against an installation that `make run` starts in it. No variable is set, and the
virtual environment isn't activated unless the document says so.
"""

import re
from pathlib import Path

import pytest

from tests.documents.blocks import DOCUMENTS, LEFT_OUT, blocks_of, unfenced_commands
from tests.documents.conftest import Installation

RUN = {
    str(document): blocks
    for document in DOCUMENTS
    if (blocks := [block for block in blocks_of(document) if block.left_out is None])
}


@pytest.mark.documents
@pytest.mark.parametrize("document", RUN)
def test_its_commands_work_as_written(installation: Installation, document: str) -> None:
    blocks = RUN[document]
    done = installation.run(blocks)
    begun = re.findall(r"^(\d+): running$", done.stderr, re.M)
    failed = blocks[int(begun[-1])].text if begun else ""
    assert done.returncode == 0, f"{failed}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"


def test_each_block_that_is_left_out_is_there() -> None:
    there = {block.left_out for document in DOCUMENTS for block in blocks_of(document)}
    assert set(LEFT_OUT) - there == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_its_commands_are_marked_as_such(document: Path) -> None:
    assert unfenced_commands(document) == [], "put commands into a block that begins with ```sh"
