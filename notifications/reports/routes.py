"""What devices may tell, and its bodies."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from kernel.errors import InvalidInput
from kernel.identity import Principal
from kernel.operations import AnyOperation, Operation
from notifications.reports.reports import AT_ONCE, Reports, Said
from notifications.reports.types import ReportEvent


class ReportBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What became of a push. `report_id` is in the push's data, `at` is now if it is not said."""

    report_id: Annotated[str, Meta(max_length=64)]
    event: ReportEvent
    at: Annotated[datetime, Meta(tz=True)] | None = None


class TellReports(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What became of some pushes."""

    reports: Annotated[list[ReportBody], Meta(max_length=AT_ONCE)]


class Taken(msgspec.Struct, frozen=True):
    """How many of them had a true id."""

    taken: int


def operations(reports: Reports) -> list[AnyOperation]:
    """Whoever has a push's signed id may ask."""

    async def tell(_: Principal, body: TellReports) -> Taken:
        said = [Said(each.report_id, each.event, each.at) for each in body.reports]
        return Taken(await reports.tell(said))

    return [
        Operation(
            name="reports.tell",
            method="POST",
            path="/v1/reports",
            summary="Tell that pushes were received, shown or opened. Needs no login.",
            takes=TellReports,
            gives=Taken,
            run=tell,
            rpc=True,
            open=True,
            refusals=(InvalidInput,),
        )
    ]
