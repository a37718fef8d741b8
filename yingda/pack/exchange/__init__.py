"""FAQ entries as files: bytes in and rows out, rows in and the same bytes out."""

from yingda.pack.exchange.entries import check_entry, tidy
from yingda.pack.exchange.forms import Form, form_of, read_form, verify, write_form

__all__ = ["Form", "check_entry", "form_of", "read_form", "tidy", "verify", "write_form"]
