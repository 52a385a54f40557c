"""A memory that tenants share fairly: whoever fills it gives up what is its own."""

from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class TenantMemory(Generic[K, V]):
    """`TenantMemory(most)`: at most so many answers for all tenants together. When it is full, the tenant
    that has the most gives up the older half of its own; where none has more than a few, all do."""

    FEW = 8

    def __init__(self, most: int) -> None:
        self._most, self._held = most, 0
        self.of_tenants: dict[str, dict[K, V]] = {}
        """Read by whoever is in a hurry; written here alone."""

    def recall(self, tenant: str, key: K, find: Callable[[], V]) -> V:
        """What is remembered for a tenant, or is found now."""
        share = self.of_tenants.get(tenant)
        if share is not None and (known := share.get(key)) is not None:
            return known
        value = find()
        self.remember(tenant, key, value)
        return value

    def remember(self, tenant: str, key: K, value: V) -> None:
        """Keep an answer."""
        if self._held >= self._most:
            self._make_room()
        share = self.of_tenants.setdefault(tenant, {})
        self._held += key not in share
        share[key] = value

    def __len__(self) -> int:
        return self._held

    def _make_room(self) -> None:
        greatest = max(self.of_tenants, key=lambda tenant: len(self.of_tenants[tenant]))
        many = len(self.of_tenants[greatest]) > self.FEW
        for tenant in [greatest] if many else list(self.of_tenants):
            share = self.of_tenants[tenant]
            for key in list(share)[: (len(share) + 1) // 2]:
                del share[key]
            if not share:
                del self.of_tenants[tenant]
        self._held = sum(map(len, self.of_tenants.values()))
