"""Whose an item of a request is, and what that tenant has set about attributes that others send. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from services.ingest.credentials import IngestCredential, NumberedMaps, Snapshot
from services.ingest.refused import forbidden
from spendmeter.contracts.label_maps import NO_MAPS, OPERATORS, TENANT, TenantMaps
from spendmeter.platform.keys import OPERATOR

TENANT_HEADER = "x-spendmeter-tenant"
"""By which an operator's key says whose all of the request is."""


@dataclass(frozen=True, kw_only=True)
class RequestMaps:
    """The maps that count for a request."""

    tenant: str = OPERATOR
    """Whose all of it is; '' = of whom the attributes of each item's process say, by the operator's map."""
    attributes: frozenset[str] = frozenset()
    """All that any of the rules looks at."""
    by_tenant: Mapping[str, NumberedMaps] = field(default_factory=dict, repr=False)

    def of(self, resource: Mapping[str, Any]) -> tuple[str, TenantMaps]:
        """Whose what a process sent is, by the process's attributes ('' = nobody is named), and its maps."""
        tenant = self.tenant or self.maps_of(OPERATORS).labels_of({}, resource).get(TENANT, "")
        return tenant, self.maps_of(tenant)

    def maps_of(self, tenant: str) -> TenantMaps:
        """What a tenant has set; nothing, where it has not."""
        numbered = self.by_tenant.get(tenant)
        return numbered.maps if numbered else NO_MAPS

    def name_in(self, said: dict[str, Any], tenant: str) -> None:
        """Have an event say whose it is, where the request does not."""
        if tenant and not self.tenant:
            said["tenant"] = tenant


def acting_for(credential: IngestCredential, chosen: str | None, snapshot: Snapshot) -> IngestCredential:
    """The credential, of the tenant that the request names in its header, if an operator's names one. Raises
    RequestRefused 403 for a tenant that is another's, or none."""
    if chosen is None or chosen == credential.tenant:
        return credential
    if credential.tenant != OPERATOR:
        raise forbidden(f"key {credential.key_id} belongs to another tenant than X-Spendmeter-Tenant names")
    if chosen not in snapshot.tenants:
        raise forbidden("X-Spendmeter-Tenant names no tenant that there is")
    return replace(credential, tenant=chosen)


def maps_for(credential: IngestCredential, snapshot: Snapshot) -> RequestMaps:
    """What counts for what this key sends."""
    tenant, by_tenant = credential.tenant, snapshot.maps
    if tenant == OPERATOR:
        return RequestMaps(attributes=snapshot.mapped_attributes, by_tenant=by_tenant)
    numbered = by_tenant.get(tenant)
    if numbered is None:
        return RequestMaps(tenant=tenant)
    return RequestMaps(tenant=tenant, attributes=numbered.maps.attributes, by_tenant=by_tenant)
