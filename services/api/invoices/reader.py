"""What the api starts to read a bill (`python -m`, bounded): the file on standard input and whose it is in;
what it says out, a line of JSON first of the whole, then of each row. Whatever is in the file, it happens to
this process alone."""

import sys
from typing import IO

import msgspec
from msgspec import Struct, structs

from services.api.invoices.billed import BillError, InvoiceLine, ProviderBill
from services.api.invoices.pages import read_bill


class NoInvoice(Struct, frozen=True, kw_only=True, tag="none"):
    """The file is none; `reason` goes on "the body ..."."""

    reason: str


class BillHead(Struct, frozen=True, kw_only=True, tag="bill"):
    """All but its rows."""

    bill: ProviderBill


decode_head = msgspec.json.Decoder(NoInvoice | BillHead).decode
decode_row = msgspec.json.Decoder(InvoiceLine).decode
_encode = msgspec.json.Encoder(decimal_format="string").encode


def write(provider: str, file: IO[bytes], out: IO[bytes]) -> None:
    """One line, or one and those of the rows."""
    try:
        bill = read_bill(provider, file)
    except BillError as error:
        out.write(_encode(NoInvoice(reason=str(error))) + b"\n")
        return
    out.write(_encode(BillHead(bill=structs.replace(bill, rows=()))) + b"\n")
    for row in bill.rows:
        out.write(_encode(row) + b"\n")


def main() -> None:
    """From standard input and argument to standard output."""
    write(sys.argv[1], sys.stdin.buffer, sys.stdout.buffer)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
