"""``GET /v1/chain/head``: what is published, so that a history that is rewritten later is found."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from evenhand.monitor import chain
from evenhand.monitor.export import public_key
from evenhand.monitor.roles import READ, Principal
from evenhand.monitor.service.access import DB, needs

router = APIRouter(prefix="/v1", tags=["audits"])


class HeadOut(BaseModel):
    """The newest head of the chain, and the key that signs exports."""

    head: Annotated[str, Field(description="NUMBER:HEAD, for `verifier.py --head`.")]
    key: Annotated[str, Field(description="Ed25519, in hexadecimal, for `verifier.py --key`.")]


@router.get("/chain/head")
def head(store: DB, who: Annotated[Principal, needs(READ)]) -> HeadOut:
    """The newest head. Publish it where it cannot be changed; exports are checked against it."""
    with store.reading() as connection:
        return HeadOut(head=chain.head(connection), key=public_key(store.secret))
