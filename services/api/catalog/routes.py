"""Every route of the catalog."""

from fastapi import APIRouter

from services.api.catalog import (
    approve,
    dropped,
    inbox,
    models,
    opinions,
    proposals,
    propose,
    publications,
    pulls,
    terms,
)

FILE_PATHS = (proposals.PROPOSALS_PATH, publications.CONSENSUS_PATH)
"""Whose body is a price file."""

router = APIRouter()
for module in (publications, opinions, models, terms, proposals, propose, approve, inbox, dropped, pulls):
    router.include_router(module.router)
