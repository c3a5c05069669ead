import re
import subprocess
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipvs_audit.model.limits import SECTION_OUTPUT
from ipvs_audit.probe.framing import parse
from ipvs_audit.transport import TransportError

NONCE = "0123456789abcdef" * 2
OTHER = "f" * 32


def frame(name: str, output: bytes, command: bytes = b"cmd", status: str = "-") -> bytes:
    header = f"{NONCE} {name} {status} 12.34 {len(command)} {len(output)}\n"
    return header.encode() + command + output + b"\n"


def whole(*frames: bytes, noise: bytes = b"", count: int | None = None) -> bytes:
    end = f"{NONCE} end {len(frames) if count is None else count}\n"
    return noise + b"".join(frames) + end.encode()


#: Content as an enemy would write it: pieces of frames among random bytes.
hostile = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.sampled_from(
            [
                b"\n",
                b"\0",
                b"\r\n",
                b"\x1b[2J",
                NONCE.encode(),
                f"{NONCE} end 1\n".encode(),
                f"{NONCE} netns - 1.00 0 0\n".encode(),
                b"end\n",
                b"\xff\xfe",
            ]
        ),
    ),
    max_size=8,
).map(b"".join)
contents = st.lists(st.tuples(hostile, hostile), min_size=1, max_size=6)


def text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")


@given(contents, st.binary(max_size=60))
def test_any_content_comes_through(sections: list[tuple[bytes, bytes]], noise: bytes) -> None:
    frames = [frame(f"s{i}", out, cmd) for i, (cmd, out) in enumerate(sections)]
    parsed = parse(whole(*frames, noise=noise), NONCE)
    assert [(one.name, one.command, one.output) for one in parsed.values()] == [
        (f"s{i}", text(cmd), text(out)) for i, (cmd, out) in enumerate(sections)
    ]


@given(contents, st.data())
def test_whatever_is_cut_short_is_refused(
    sections: list[tuple[bytes, bytes]], data: st.DataObject
) -> None:
    sent = whole(*[frame(f"s{i}", out, cmd) for i, (cmd, out) in enumerate(sections)])
    cut = data.draw(st.integers(0, len(sent) - 1))
    with pytest.raises(TransportError) as refused:
        parse(sent[:cut], NONCE)
    assert refused.value.kind == "protocol"


@given(st.binary(max_size=300))
def test_anything_else_is_refused_in_one_harmless_line(raw: bytes) -> None:
    with pytest.raises(TransportError) as refused:
        parse(raw, NONCE, stderr=raw)
    assert refused.value.message.isprintable()
    assert len(refused.value.message) < 300


def test_login_noise_before_and_a_farewell_after_are_passed_over() -> None:
    sent = whole(frame("host", b"x"), noise=b"Last login: never\nno newline at the end ")
    assert parse(sent + b"Bye.\n", NONCE)["host"].output == "x"


def test_an_echo_of_the_script_is_no_frame() -> None:
    echo = f"$ nonce='{NONCE}'\n$ printf '{NONCE} end'\n".encode()
    assert parse(whole(frame("host", b"x"), noise=echo), NONCE)["host"].output == "x"


def test_frames_of_another_nonce_are_noise() -> None:
    sent = whole(frame("host", b"x"))
    with pytest.raises(TransportError):
        parse(sent, OTHER)


def test_status_and_time_are_kept() -> None:
    section = parse(whole(frame("host", b"x", status="3")), NONCE)["host"]
    assert (section.status, section.at) == (3, 12.34)
    assert parse(whole(frame("host", b"")), NONCE)["host"].status is None


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_wrong_count_at_the_end_is_refused(count: int) -> None:
    with pytest.raises(TransportError, match=r"\d of \d sections arrived"):
        parse(whole(frame("a", b""), frame("b", b""), count=count), NONCE)


def test_a_section_that_comes_twice_is_refused() -> None:
    with pytest.raises(TransportError, match="duplicate section 'a'"):
        parse(whole(frame("a", b"1"), frame("a", b"2")), NONCE)


def test_a_length_beyond_all_bounds_is_refused() -> None:
    for length, why in (
        (1_000_000, "another length than its header says"),
        (999_999_999, "holds more than 1,048,582 bytes, which the probe never sends"),
    ):
        sent = f"{NONCE} a - 1.00 3 {length}\ncmdx\n{NONCE} end 1\n".encode()
        with pytest.raises(TransportError, match=why):
            parse(sent, NONCE)


def test_what_came_instead_is_quoted() -> None:
    with pytest.raises(TransportError, match="sudo: a password is required"):
        parse(b"", NONCE, stderr=b"\x1b[1msudo: a password is required\x1b[0m\r\n")
    with pytest.raises(TransportError, match="rbash: sh: restricted"):
        parse(b"rbash: sh: restricted\n", NONCE)
    with pytest.raises(TransportError, match="no output"):
        parse(b"", NONCE)


@pytest.mark.parametrize(("output", "command"), [(b"x", b""), (b"", b"x")])
def test_a_section_larger_than_the_probe_makes_them_is_refused(
    output: bytes, command: bytes
) -> None:
    most = frame("netns", output * SECTION_OUTPUT, command * SECTION_OUTPUT)
    assert parse(whole(most), NONCE)
    more = frame("netns", output * (SECTION_OUTPUT + 1), command * (SECTION_OUTPUT + 1))
    with pytest.raises(TransportError, match="'netns' holds more than 1,048,582 bytes"):
        parse(whole(more), NONCE)


def test_the_probe_cuts_a_section_at_the_same_size() -> None:
    """frame() of probe.sh itself, by the shell."""
    script = files("ipvs_audit.probe").joinpath("probe.sh").read_text("utf-8")
    body = re.search(r"^frame\(\) \{\n.*?^\}\n", script, re.DOTALL | re.MULTILINE)
    assert body is not None
    run = (
        f"nonce={NONCE}; frames=0; nl='\n'; now() {{ up=1.00; }}\n{body[0]}"
        'frame x - c "$(head -c 2000000 /dev/zero | tr \'\\0\' a)"; echo "$nonce end 1"'
    )
    said = subprocess.run(["sh", "-c", run], capture_output=True, check=True)
    assert len(parse(said.stdout, NONCE)["x"].output) == SECTION_OUTPUT
