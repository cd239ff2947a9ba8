"""Indicators: many writings, one form; shown so that nobody clicks; the wrong ones say what was expected."""

from __future__ import annotations

import ipaddress
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.indicator import (
    EXPECTED,
    MAX_PATTERN,
    TYPES,
    NotAnIndicator,
    defang,
    guess,
    normalise,
    pattern,
    read_pattern,
    refang,
    same,
)

HASH = "0123456789abcdef" * 4
WRITINGS = [
    ("url", "hxxps://Evil[.]Example:443/A.php?x=1#y", "https://evil.example/A.php?x=1#y"),
    ("url", "hXXp[:]//evil(dot)example", "http://evil.example/"),
    ("url", "HTTP://EVIL.EXAMPLE?x=1", "http://evil.example?x=1"),
    ("url", "h**p://203.0.113[.]7:8080/", "http://203.0.113.7:8080/"),
    ("url", "fxp://files[.]example/a", "ftp://files.example/a"),
    ("url", "http://[2001:DB8::1]/x", "http://[2001:db8::1]/x"),
    ("url", "http://user:secret@evil[.]example/x", "http://user:secret@evil.example/x"),
    ("url", "http://intranet/x", "http://intranet/x"),
    ("domain", "Evil{.}Example.", "evil.example"),
    ("domain", "日本語。jp", "xn--wgv71a119e.jp"),
    ("domain", "XN--WGV71A119E.JP", "xn--wgv71a119e.jp"),
    ("domain", "_dmarc.evil[dot]example", "_dmarc.evil.example"),
    ("ipv4", "203[.]0[.]113(.)7", "203.0.113.7"),
    ("ipv4", "203.0.113.7/32", "203.0.113.7"),
    ("ipv4", "203.0.113.0/24", "203.0.113.0/24"),
    ("ipv6", "2001[:]DB8:0::1", "2001:db8::1"),
    ("ipv6", "2001:db8::/32", "2001:db8::/32"),
    ("ipv6", "2001:db8::1/128", "2001:db8::1"),
    ("email", "Bob[at]Evil[dot]Example", "bob@evil.example"),
    ("md5", "MD5:" + HASH[:32].upper(), HASH[:32]),
    ("sha1", HASH[:40], HASH[:40]),
    ("sha256", f" {HASH.upper()} ", HASH),
    ("filename", "請求書.exe", "請求書.exe"),
    ("mutex", "Global\\x", "Global\\x"),
    ("registry", "hklm\\Software\\Evil\\", "HKEY_LOCAL_MACHINE\\Software\\Evil"),
    ("registry", "hkey_users/x", "HKEY_USERS\\x"),
    ("other", "JA3 abc", "JA3 abc"),
]


@pytest.mark.parametrize(("kind", "written", "kept"), WRITINGS)
def test_every_writing_has_one_form(kind: str, written: str, kept: str) -> None:
    assert normalise(kind, written) == kept
    assert normalise(kind, kept) == kept
    assert normalise(kind, defang(kind, kept)) == kept


WRONG = [
    ("ipv4", "203.0.113"), ("ipv4", "203.0.113.007"), ("ipv4", "203.0.113.7/24"), ("ipv6", "203.0.113.7"),
    ("ipv6", "fe80::1%eth0"), ("ipv6", "2001:db8::1/32"), ("domain", "evil"), ("domain", "*.evil.example"),
    ("domain", "1.2.3.4"), ("domain", "a..b"), ("domain", "-a.example"), ("domain", "a" * 64 + ".example"),
    ("domain", ".".join(["abcdefg"] * 40)), ("domain", "\u2028.jp"), ("domain", "日本語\u200d.jp"),
    ("url", "evil.example"), ("url", "http://"), ("url", "http://evil example/"), ("url", "http://a\\b/"),
    ("url", "http://[::1/"), ("url", "http://evil.example:99999/"), ("url", "http://9/"), ("url", "1://a.b/"),
    ("email", "evil.example"), ("email", "a b@evil.example"), ("email", "a@evil"),
    ("md5", "xyz"), ("sha1", HASH), ("sha256", HASH[:63]), ("registry", "Software\\Evil"),
    ("registry", "HKLM"), ("mutex", "a\x00b"),
    ("filename", "\n"), ("other", ""), ("other", "x" * 2_001), ("other", "\ud800"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "written"), WRONG)
def test_what_is_none_of_its_type_is_refused_with_what_was_expected(kind: str, written: str) -> None:
    with pytest.raises(NotAnIndicator, match=r"expected .+, got "):
        normalise(kind, written)


def test_a_type_that_there_is_not_names_those_there_are() -> None:
    with pytest.raises(NotAnIndicator, match="sha256"):
        normalise("sha512", HASH)
    assert set(EXPECTED) == set(TYPES)


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ("hxxp://evil[.]example", "url"),
        ("203.0.113.7", "ipv4"),
        ("2001:db8::1", "ipv6"),
        ("a[at]evil.example", "email"),
        (HASH, "sha256"),
        (HASH[:40], "sha1"),
        (HASH[:32], "md5"),
        ("HKCU\\Run", "registry"),
        ("invoice.exe", "filename"),
        ("evil[.]example", "domain"),
        ("Global\\mutex", "other"),
        ("", "other"),
    ],
)
def test_a_type_is_told_by_its_looks(written: str, kind: str) -> None:
    assert guess(written) == kind


def test_names_of_windows_do_not_differ_by_case() -> None:
    assert same("filename", "Evil.EXE") == same("filename", "evil.exe")
    assert same("mutex", "A") != same("mutex", "a")


# -- whatever people write ----------------------------------------------------------------------------------

LABELS = st.from_regex(r"[a-z]([a-z0-9]{0,8}[a-z0-9])?", fullmatch=True)
DOMAINS = st.lists(LABELS, min_size=2, max_size=4).map(".".join)
PATHS = st.text(string.ascii_letters + string.digits + "/._-?=&%~", max_size=20).map("/".__add__)
VALUES = st.one_of(
    st.tuples(st.just("ipv4"), st.integers(0, 2**32 - 1).map(lambda n: str(ipaddress.IPv4Address(n)))),
    st.tuples(st.just("ipv6"), st.integers(0, 2**128 - 1).map(lambda n: str(ipaddress.IPv6Address(n)))),
    st.tuples(st.just("domain"), DOMAINS),
    st.tuples(st.just("email"), st.tuples(LABELS, DOMAINS).map("@".join)),
    st.tuples(
        st.just("url"),
        st.tuples(st.sampled_from(["http://", "https://", "ftp://"]), DOMAINS, PATHS).map("".join),
    ),
)


@given(VALUES, st.sampled_from(["plain", "defanged", "upper", "padded"]))
def test_defanging_comes_back_to_the_same_value(value: tuple[str, str], how: str) -> None:
    kind, text = value
    kept = normalise(kind, text)
    written = {
        "plain": kept,
        "defanged": defang(kind, kept),
        "upper": kept if kind == "url" else defang(kind, kept).upper(),
        "padded": f"  {defang(kind, kept)} ",
    }[how]
    assert normalise(kind, written) == kept
    if kind != "ipv6":
        assert "http" not in defang(kind, kept) or kind != "url"
        assert defang(kind, kept) != kept


@given(st.sampled_from(TYPES), st.text(max_size=60))
def test_any_text_is_kept_in_a_stable_form_or_refused(kind: str, text: str) -> None:
    try:
        kept = normalise(kind, text)
    except NotAnIndicator:
        return
    assert normalise(kind, kept) == kept
    assert normalise(kind, defang(kind, kept)) == kept


@given(st.text(alphabet="[](){}.:/@xhtpdo ", max_size=40))
def test_refanging_twice_is_refanging_once(text: str) -> None:
    assert refang(refang(text)) == refang(text)


# -- patterns -----------------------------------------------------------------------------------------------


@given(st.sampled_from([one for one in TYPES if one != "other"]), st.text(min_size=1, max_size=40))
def test_a_pattern_is_read_back_as_what_it_was_made_of(kind: str, value: str) -> None:
    made = pattern(kind, value)
    assert made is not None
    assert read_pattern(made) == [(kind, value)]


def test_what_nothing_can_look_for_has_no_pattern() -> None:
    assert pattern("other", "x") is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[file:hashes.MD5 = 'a' OR file:hashes.\"SHA-256\" = 'b']", [("md5", "a"), ("sha256", "b")]),
        (
            "[domain-name:value='a.b'] OR [ipv4-addr:value = '1.2.3.4']",
            [("domain", "a.b"), ("ipv4", "1.2.3.4")],
        ),
        ("[file:hashes.SHA1 = 'a'] ", [("sha1", "a")]),
        ("[a:b = 'x' AND c:d = 'y']", None),
        ("[ipv4-addr:value = '1.2.3.4'] FOLLOWEDBY [url:value = 'x']", None),
        ("[ipv4-addr:value ISSUBSET '10.0.0.0/8']", None),
        ("[process:name = 'x']", None),
        ("[ipv4-addr:value = '1.2.3.4'", None),
        ("", None),
        ("x" * (MAX_PATTERN + 1), None),
    ],
)
def test_plain_comparisons_are_read_and_nothing_else(text: str, found: list[tuple[str, str]] | None) -> None:
    assert read_pattern(text) == found
