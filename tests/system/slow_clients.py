"""What a thousand slow clients cost the others, by hand: `make slow-clients`, or `python -m tests.system.slow_clients`.

A server is started over a new SQLite file. Sixteen clients read and write for some seconds, first alone, then beside a
thousand sockets that hold on to it. Printed: the others' 99th percentile, how long each kind of socket was held, and
the memory that the server took for them. `--plain` serves by uvicorn's own protocol: the figures of before.
"""

import asyncio
import json
import random
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from time import perf_counter

import click
import msgspec

from tests.support.clients.load import Client, LostError, new_item
from tests.support.clients.slow import KINDS, Ended, hold
from tests.support.service import Server, migrate

CLIENTS = 16
_PAUSE = 0.01
_ITEMS = 1000
_PLAIN = (
    *(sys.executable, "-m", "uvicorn", "--factory", "api.cli.serve:application", "--lifespan", "on"),
    *("--http", "httptools", "--loop", "uvloop", "--no-access-log", "--no-server-header"),
)


@click.group()
def main() -> None:
    """Measure what slow clients do to a server."""


@main.command()
@click.option("--sockets", default=1000, show_default=True)
@click.option("--seconds", default=20, show_default=True, help="How long the others are watched, each time.")
@click.option("--rounds", default=3, show_default=True)
@click.option("--plain", is_flag=True, help="By uvicorn's own protocol.")
def measure(sockets: int, seconds: int, rounds: int, plain: bool) -> None:
    """Run the others alone and beside the slow ones, in turns."""
    with tempfile.TemporaryDirectory() as directory:
        url = f"sqlite+aiosqlite:///{directory}/itemledger.db"
        asyncio.run(migrate(url))
        server = Server(url, command=_PLAIN) if plain else Server(url)
        try:
            server.wait_until_ready()
            asyncio.run(_rounds(server, sockets, seconds, rounds))
        finally:
            server.close()


@main.command(hidden=True)
@click.argument("port", type=int)
@click.argument("sockets", type=int)
@click.argument("patience", type=float)
def attack(port: int, sockets: int, patience: float) -> None:
    """Be the slow clients, in a process of their own, and print how long each was held."""
    kinds = [kind for kind, _ in zip([*KINDS] * sockets, range(sockets), strict=False)]
    click.echo(msgspec.json.encode(hold(port, kinds, patience)))


async def _rounds(server: Server, sockets: int, seconds: int, rounds: int) -> None:
    async with Client.connected(server.port) as client:
        batch = [{"name": "x" * 200, "price": 1}] * _ITEMS
        answer = await client.ask("POST", "/items/batch", json.dumps(batch).encode())
        assert answer.status == 201, answer
    await _others(server.port, 2)  # the first requests prepare connections and statements
    for number in range(rounds):
        alone, before = await _others(server.port, seconds), _resident(server)
        command = (sys.executable, "-m", "tests.system.slow_clients", "attack", str(server.port), str(sockets))
        slow = await asyncio.create_subprocess_exec(*command, str(seconds + 15), stdout=asyncio.subprocess.PIPE)
        beside = asyncio.create_task(_others(server.port, seconds))
        most = before
        while not beside.done():
            await asyncio.sleep(0.2)
            most = max(most, _resident(server))
        ended = msgspec.json.decode((await slow.communicate())[0], type=list[Ended])
        click.echo(f"round {number + 1}: {sockets} slow sockets beside {CLIENTS} clients")
        _tell("alone", alone)
        _tell("beside", await beside)
        ratio = _p99(await beside) / _p99(alone)
        click.echo(f"  p99 {ratio:.2f} times that of before; the server took {most - before:.0f} MiB more at most")
        _tell_ended(ended)


async def _others(port: int, seconds: float) -> list[float]:
    """Have clients read and write; return the seconds that each request took. A lost connection fails."""
    took: list[float] = []
    until = perf_counter() + seconds

    async def one(chance: random.Random) -> None:
        async with Client.connected(port) as client:
            while perf_counter() < until:
                began = perf_counter()
                try:
                    if chance.random() < 0.3:
                        answer = await client.ask("POST", "/items", new_item("Pen"))
                    else:
                        answer = await client.ask("GET", f"/items/{chance.randint(1, _ITEMS)}")
                except LostError:
                    raise SystemExit("a well-behaved client lost its connection") from None
                took.append(perf_counter() - began)
                assert answer.status in (200, 201), answer
                await asyncio.sleep(_PAUSE)

    await asyncio.gather(*(one(random.Random(number)) for number in range(CLIENTS)))
    return took


def _p99(took: list[float]) -> float:
    return sorted(took)[len(took) * 99 // 100] * 1000


def _tell(who: str, took: list[float]) -> None:
    median = sorted(took)[len(took) // 2] * 1000
    click.echo(f"  {who:<8}{len(took):>8,} requests, median {median:.1f} ms, p99 {_p99(took):.1f} ms")


def _tell_ended(ended: list[Ended]) -> None:
    by_kind: dict[str, list[float | None]] = defaultdict(list)
    for one in ended:
        by_kind[one.kind].append(one.seconds)
    for kind, seconds in by_kind.items():
        known = [held for held in seconds if held is not None]
        longest = f"held {max(known):.1f} s at most" if known else ""
        still = f"{len(seconds) - len(known)} held for ever" if len(known) < len(seconds) else ""
        click.echo(f"    {kind:<22}{len(seconds):>5}  {'; '.join(filter(None, (longest, still)))}")


def _resident(server: Server) -> float:
    """Return the server's resident memory, in MiB."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


if __name__ == "__main__":
    main()
