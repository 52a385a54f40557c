"""Every route of the catalog."""

from __future__ import annotations

from fastapi import APIRouter

from services.api.catalog import (
    approve,
    comparisons,
    dropped,
    inbox,
    models,
    proposals,
    propose,
    publication,
    terms,
)

FILE_PATHS = (proposals.PROPOSALS_PATH, comparisons.CONSENSUS_PATH)
"""Whose body is a price file."""

router = APIRouter()
for module in (models, terms, comparisons, proposals, propose, approve, inbox, dropped, publication):
    router.include_router(module.router)
