"""Asking why: for users and for servers."""

from kernel.errors import Denied, InvalidInput
from kernel.identity import Principal, Scope
from kernel.operations import AnyOperation, Operation
from notifications.errors import DeviceNotFound, NotificationNotFound
from notifications.preferences import bodies, schemas
from notifications.preferences.explain import Explain, Question


def operations(explain: Explain) -> list[AnyOperation]:
    """Users may ask about themselves, servers about anybody."""

    async def why(
        principal: Principal, body: schemas.Imagine | schemas.ImagineFor
    ) -> schemas.ExplanationBody:
        if body.id is not None:
            return bodies.explanation_body(await explain.of_push(principal, body.id))
        if body.category is None:
            raise InvalidInput("category", "is required unless an id is given")
        question = Question(
            category=body.category,
            urgency=body.urgency,
            thread=body.thread,
            device_id=body.device_id,
            at=body.at,
            expires_at=body.expires_at,
            exact=body.exact,
        )
        user_id = bodies.named(getattr(body, "user_id", None))
        return bodies.explanation_body(await explain.imagined(principal, question, user_id))

    return [
        Operation(
            name="pushes.explain",
            method="POST",
            path="/v1/pushes/explain",
            summary="Why you were told something or not, or would be.",
            takes=schemas.Imagine,
            gives=schemas.ExplanationBody,
            run=why,
            rpc=True,
            refusals=(InvalidInput, NotificationNotFound, DeviceNotFound, Denied),
        ),
        Operation(
            name="pushes.explain_for",
            method="POST",
            path="/admin/v1/pushes/explain",
            summary="Why a user was told something or not, or would be.",
            takes=schemas.ImagineFor,
            gives=schemas.ExplanationBody,
            run=why,
            scope=Scope.PUSHES,
            refusals=(InvalidInput, NotificationNotFound, DeviceNotFound, Denied),
        ),
    ]
