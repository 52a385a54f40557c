"""GET /v1/proof: up to when the book is proved, and what of it is whose to see."""

from __future__ import annotations

import httpx

from tests.api.book import Book

FOUND = """
INSERT INTO proof_findings (id, tenant, invariant, what, named, origin_topic, partition, origin_offset)
SELECT decode(md5(tenant), 'hex'), tenant, 'I4', 'changed', tenant || ' bot/e7', 't', 0, 7
FROM unnest(ARRAY['acme', 'globex', '']) AS tenant
"""
UNTIL = "INSERT INTO proved_until VALUES (true, '2026-11-23T18:00Z', '2026-11-23T18:31Z', now())"


async def test_a_tenant_sees_what_was_found_of_its_own_and_an_operator_lets_the_proof_go_on(
    client: httpx.AsyncClient, book: Book
) -> None:
    await book.connection.execute("TRUNCATE proof_findings, proof_acts, proved_until")
    await book.connection.execute(FOUND + ";" + UNTIL)
    own = {"Authorization": f"Bearer {await book.key('acme', 'admin')}"}
    answer = (await client.get("/v1/proof", headers=own)).json()
    assert [row["named"] for row in answer["findings"]] == ["acme bot/e7"]
    assert (answer["proved_until"], answer["unseen"]) == ("2026-11-23T18:31:00Z", 1)
    path = f"/v1/proof/findings/{answer['findings'][0]['id']}/seen"
    assert (await client.post(path, json={"note": "known"}, headers=own)).status_code == 403

    every = {"Authorization": f"Bearer {await book.key('', 'admin')}"}
    assert (await client.get("/v1/proof", headers=every)).json()["unseen"] == 3
    seen = await client.post(path, json={"note": "restored"}, headers=every)
    assert (seen.status_code, seen.json()["unseen"]) == (200, 2)
    assert (await client.post(path, json={"note": "again"}, headers=every)).status_code == 409
    missing = f"/v1/proof/findings/{'0' * 32}/seen"
    assert (await client.post(missing, json={"note": "none"}, headers=every)).status_code == 404
    (row,) = (await client.get("/v1/proof", headers=own)).json()["findings"]
    assert (row["note"], row["seen_by"][:4]) == ("restored", "key ")
    audited = await book.connection.fetchrow(
        "SELECT object, tenant FROM audit_log ORDER BY number DESC LIMIT 1"
    )
    assert tuple(audited) == ("proof_acts", "acme")
