"""The process: the HTTP door, its own connections, its own price book, and what keeps them fed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.reservations.app import ReservationDoor, create_app
from services.reservations.callers import Callers
from services.reservations.cycles.maps import LevelMaps
from services.reservations.cycles.routes import cycles_routes
from services.reservations.decide import DecidedTurn
from services.reservations.desk import Desk
from services.reservations.finder import Finder
from services.reservations.memory import CounterMemory
from services.reservations.price_book import PriceBookFollower
from services.reservations.read import prepare
from services.reservations.sender import EventSender
from services.reservations.settler import Settler
from services.reservations.tranches import Tranches
from services.reservations.turns import AWAY
from spendmeter.contracts.topics import USAGE_EVENTS
from spendmeter.platform import kafka
from spendmeter.platform.key_uses import KeyUses
from spendmeter.platform.postgres import create_pool
from spendmeter.platform.retry import until_done
from spendmeter.platform.service import HttpService
from spendmeter.platform.settings import Settings, home
from spendmeter.platform.telemetry import Meters

SERVICE = "reservations"
CONNECTIONS = 10
SESSION = {"synchronous_commit": "on"}
"""What was answered survives the machine."""


@asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[HttpService]:
    """The service, once Postgres has answered."""
    meters, url = Meters(), settings.database_url.get_secret_value()
    pool = await until_done(
        lambda: create_pool(url, size_max=CONNECTIONS, service=SERVICE, init=prepare, session=SESSION),
        "not connected yet",
        away=AWAY,
    )
    memory, settler, uses = CounterMemory(pool), Settler(pool, meters), KeyUses(url, SERVICE)
    callers, prices, maps = Callers(pool), PriceBookFollower(pool), LevelMaps(pool)
    sender = EventSender(
        pool,
        settings.topic_prefix + USAGE_EVENTS.name,
        lambda: kafka.producer(settings, service=SERVICE),
        meters,
    )

    def noted(tenant: str, turn: DecidedTurn) -> None:
        memory.note(tenant, turn.counters)
        sender.take(tenant, turn.reservations)

    desk = Desk(lambda: pool, meters, noted)
    tranches = Tranches(desk, memory, home() / "reservations" / str(settings.port))
    desk.when_away = tranches.decide
    door = ReservationDoor(
        pool=pool,
        desk=desk,
        finder=Finder(pool),
        callers=callers,
        memory=memory,
        prices=prices,
        sender=sender,
        settler=settler,
        uses=uses,
    )
    try:
        yield HttpService(
            app=create_app(door, cycles_routes(door, maps)),
            background=(
                callers.keep_fresh(),
                maps.keep_fresh(),
                prices.keep_following(),
                memory.keep_fresh(),
                settler.keep_settling(),
                sender.keep_sending(),
                uses.keep_writing(),
                tranches.keep(),
            ),
            options={"proxy_headers": False},
            let_go=pool.terminate,
        )
    finally:
        pool.terminate()
