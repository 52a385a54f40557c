"""A discount of AWS' report counts once: in the net cost of usage, in rows of its own, or in both. The book is of two
million tokens in, 6 dollars, and one out, 15; a tenth of it is taken off.
"""

from __future__ import annotations

from tests.api.aws_reports import as_csv, as_parquet, used
from tests.api.test_invoice_causes import causes, held
from tests.api.test_invoice_tables import BOOK, IN, OUT
from tests.api.vendor_bills import read_bill

_DISCOUNTS = [
    used(usage, "0", cost, line_item_line_item_type="EdpDiscount", pricing_public_on_demand_cost="")
    for usage, cost in ((IN["line_item_usage_type"], "-0.6"), (OUT["line_item_usage_type"], "-1.5"))
]


def test_a_discount_is_one_wherever_the_report_has_it() -> None:
    # A tenth of 21, in the net cost, or in rows of its own.
    net = [row | {"line_item_net_unblended_cost": cost} for row, cost in ((IN, "5.4"), (OUT, "13.5"))]
    assert causes(held("bedrock", as_csv(*net), book=BOOK)) == {"discount": "-2.1"}
    own = [
        used(row["line_item_usage_type"], "0", cost, line_item_line_item_type="EdpDiscount", pricing_public_on_demand_cost="")
        for row, cost in ((IN, "-0.6"), (OUT, "-1.5"))
    ]  # fmt: skip
    assert causes(held("bedrock", as_csv(IN, OUT, *own), book=BOOK)) == {"discount": "-2.1"}


def test_a_discount_that_net_costs_have_in_them_is_not_taken_off_again_by_its_own_rows() -> None:
    # A tenth of 21. The net cost of a discount is 0 or empty: either way usage is billed at 18.9 and not at 16.8.
    net = [row | {"line_item_net_unblended_cost": cost} for row, cost in ((IN, "5.4"), (OUT, "13.5"))]
    for said in ("", "0"):
        own = [row | {"line_item_net_unblended_cost": said} for row in _DISCOUNTS]
        for rows in ((*net, *own), (*own, *net)):  # whichever comes first
            for content in (as_csv(*rows), as_parquet(*rows)):
                assert causes(held("bedrock", content, book=BOOK)) == {"discount": "-2.1"}
    told = read_bill("bedrock", as_csv(*net, *_DISCOUNTS)).notes
    assert told == ("2 rows of discount that net costs have in them already are not compared: -2.1 USD",)


def test_net_costs_that_are_the_costs_before_have_no_discount_in_them() -> None:
    net = [row | {"line_item_net_unblended_cost": cost} for row, cost in ((IN, "6"), (OUT, "15"))]
    assert causes(held("bedrock", as_csv(*net, *_DISCOUNTS), book=BOOK)) == {"discount": "-2.1"}


def test_a_discount_of_which_nobody_can_tell_whether_net_costs_have_it_is_unexplained() -> None:
    # Input has a net cost of a tenth less, and output has none: whose are the rows of 0.6 and of 1.5?
    net = IN | {"line_item_net_unblended_cost": "5.4"}
    found = causes(held("bedrock", as_csv(net, OUT, *_DISCOUNTS), book=BOOK))
    assert found == {"discount": "-0.6", "unexplained": "-2.1"}
