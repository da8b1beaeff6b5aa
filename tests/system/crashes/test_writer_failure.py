"""The writer itself fails: what waits is answered, and the process ends with a status that a supervisor restarts."""

import asyncio
import sys

from tests.support.checks import assert_whole, log_lines
from tests.support.clients.load import ask, new_item
from tests.support.service import migrate, serving

#: `itemledger` with a fault in its writer, which an item of a certain name meets.
FAULTY = """
from commands.writer import Writer
from api.cli import main

commit = Writer._commit

async def faulty(writer, batch):
    if any(command.name == "faulty" for submission in batch for command in submission.commands):
        raise RuntimeError("a fault of the writer")
    await commit(writer, batch)

Writer._commit = faulty
main(["serve", *__import__("sys").argv[1:]])
"""


async def test_a_process_whose_writer_fails_answers_and_ends_with_status_2(ready_url: str) -> None:
    await migrate(ready_url)
    with serving(ready_url, command=[sys.executable, "-c", FAULTY]) as server:
        assert (await ask(server.port, "POST", "/items", new_item("Pen"))).status == 201
        answers = await asyncio.gather(
            *(ask(server.port, "POST", "/items", new_item(name)) for name in ["faulty"] * 3), return_exceptions=True
        )
        codes = {answer.json()["code"] for answer in answers if not isinstance(answer, BaseException)}
        assert "outcome-unknown" in codes
        assert codes <= {"outcome-unknown", "stopping"}
        output = server.output()
        assert server.process.returncode == 2
        (critical,) = (line for line in log_lines(output) if line["level"] == "critical")
        assert critical["event"] == "the writer failed; the process stops"
    await assert_whole(ready_url)
