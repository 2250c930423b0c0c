"""npz and CSV from strangers: what is well formed is read exactly, everything else is refused with a pointer."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from initshape.spec.problem import SpecError
from initshape.uploads import read_dataset, read_init, to_npz
from initshape.uploads.npz import read_npz

X = np.array([[1.0, 2.0, -0.5], [0.0, 1.0, 1e-300]])
Y = np.array([1.0, -2.0])
NAMES = ("X", "y")
GOOD = to_npz({"X": X, "y": Y})


def npy(array: np.ndarray, **options: bool) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, array, **options)
    return file.getvalue()


def archive(members: list[tuple[str, bytes]], compression: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as out:
        for name, content in members:
            out.writestr(name, content)
    return file.getvalue()


def with_header(header: str, body: bytes = b"") -> bytes:
    text = header.encode("latin1") + b"\n"
    return archive([("X.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + body)])


def refusal(data: bytes, limit: int = 1 << 20) -> SpecError:
    with pytest.raises(SpecError) as caught:
        read_npz(data, NAMES, limit)
    assert caught.value.errors[0].hint
    return caught.value


@pytest.mark.parametrize("dtype", ["<f8", ">f8", "<f4", "<i8", ">i2", "u1"])
def test_numbers_of_any_width_and_order_become_binary64(dtype: str) -> None:
    given_array = np.asfortranarray(np.arange(6).reshape(2, 3).astype(dtype))
    file = io.BytesIO()
    np.savez_compressed(file, X=given_array)
    found = read_npz(file.getvalue(), NAMES, 1 << 20)["X"]
    np.testing.assert_array_equal(found, np.arange(6.0).reshape(2, 3))
    assert found.dtype == np.float64
    assert found.flags.c_contiguous


def test_what_numpy_writes_is_read_to_the_last_bit() -> None:
    found = read_npz(GOOD, NAMES, 1 << 20)
    np.testing.assert_array_equal(found["X"], X)
    np.testing.assert_array_equal(found["y"], Y)


def test_objects_are_never_unpickled() -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, ...]:
            raise AssertionError

    evil = archive([("X.npy", b"")])
    assert refusal(evil).status == 422
    pickled = npy(np.array([[None, {}]], dtype=object), allow_pickle=True)
    assert "objects" in refusal(archive([("X.npy", pickled)])).errors[0].hint


@pytest.mark.parametrize(
    "array",
    [np.zeros(2, dtype=[("a", "f8")]), np.array(["a", "b"]), np.array([1j]), np.array([True]), np.zeros(2, "f2"),
     np.zeros((1, 1, 1)), np.array([2**60])],
    ids=["records", "text", "complex", "boolean", "half", "three dimensions", "inexact"],
)  # fmt: skip
def test_other_arrays_are_refused(array: np.ndarray) -> None:
    assert refusal(archive([("X.npy", npy(array))])).errors[0].pointer == "/X"


@pytest.mark.parametrize("name", ["../X.npy", "/X.npy", "X", "a/X.npy", "X.npy/", "x.npy", "X.npy~.txt", "C:\\X.npy"])
def test_names_are_those_of_arrays(name: str) -> None:
    data = archive([(name, npy(X))])
    assert refusal(data.replace(b"~", b"\0")).status == 422
    assert refusal(data).status == 422


def test_a_name_twice_is_refused() -> None:
    with pytest.warns(UserWarning, match="Duplicate"):
        data = archive([("X.npy", npy(X)), ("X.npy", npy(2 * X))])
    assert "twice" in refusal(data).errors[0].hint


def test_a_zip_bomb_is_refused_before_it_is_opened() -> None:
    """256 MB of zeros in less than one: declared honestly it is 413 at once, with a lie it yields no more than said."""
    bomb = archive([("X.npy", npy(np.zeros((1, 1))) + bytes(1 << 28))], zipfile.ZIP_DEFLATED)
    assert len(bomb) < 1 << 20
    tracemalloc.start()
    try:
        assert refusal(bomb).status == 413
        size = struct.pack("<L", (1 << 28) + len(npy(np.zeros((1, 1)))))
        lying = bomb.replace(size, struct.pack("<L", 136))
        assert lying != bomb
        assert refusal(lying).status == 422
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_a_member_has_the_size_that_it_declares() -> None:
    """A reader that believed the directory would have made room for more than there is."""
    size, more = struct.pack("<L", len(npy(X))), struct.pack("<L", len(npy(X)) + 4096)
    whole = archive([("X.npy", npy(X))], zipfile.ZIP_DEFLATED)
    lying = whole.replace(size, more)
    assert lying.count(more) == 2
    assert "damaged" in refusal(lying).errors[0].hint


def test_many_members_are_refused_before_they_are_listed() -> None:
    crowd = archive([(f"X{k}.npy", b"") for k in range(20_000)])
    tracemalloc.start()
    try:
        assert "members" in refusal(crowd).errors[0].hint
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_a_second_directory_of_64_bits_is_refused() -> None:
    """It would override the numbers that were looked at."""
    end = GOOD[-22:]
    count, size, start = struct.unpack("<HLL", end[10:20])
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, size, start)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, start + size, 1)
    data = GOOD[:-22] + record + locator + end
    with zipfile.ZipFile(io.BytesIO(data)) as plain:
        assert len(plain.infolist()) == 2  # others read it
    assert "damaged" in refusal(data).errors[0].hint


def test_headers_that_lie_are_refused() -> None:
    head = "{'descr': '<f8', 'fortran_order': False, 'shape': (%s), }"
    assert refusal(with_header(head % "1000000, 1000000")).status == 413
    for count in (40, 47, 56):
        assert refusal(with_header(head % "2, 3", bytes(count))).errors[0].pointer == "/X"
    assert "header" in str(refusal(with_header(head % "1, 1" + " " * 5000, bytes(8))).errors[0].allowed)
    assert refusal(with_header(head % "-2, -3", bytes(48))).status == 422
    assert refusal(with_header(head % ("9" * 100))).status == 422
    assert refusal(with_header("__import__('os').abort()")).status == 422
    assert refusal(with_header("{'descr': " + "(" * 3000)).status == 422
    assert refusal(with_header(head % "1, " * 20, bytes(8))).status == 422
    # one byte a number in the file, eight in memory
    assert refusal(archive([("X.npy", npy(np.zeros((1000, 1000), "i1")))]), limit=2 << 20).status == 413


@pytest.mark.parametrize("sign", [1, -1])
def test_integers_are_those_that_binary64_holds(sign: int) -> None:
    last = sign * 2**53
    read = read_npz(archive([("X.npy", npy(np.array([[last]])))]), NAMES, 1 << 20)
    assert int(read["X"][0, 0]) == last
    assert "2^53" in str(refusal(archive([("X.npy", npy(np.array([[last + sign]])))])).errors[0].allowed)


def test_the_limit_is_for_all_arrays_together() -> None:
    assert set(read_npz(GOOD, NAMES, X.nbytes + Y.nbytes)) == {"X", "y"}
    assert refusal(GOOD, X.nbytes + Y.nbytes - 8).status == 413


def test_encrypted_and_damaged_archives_are_refused() -> None:
    place = GOOD.index(b"PK\x01\x02") + 8
    assert refusal(GOOD[:place] + b"\x01" + GOOD[place + 1 :]).status == 422
    for data in (b"", b"PK", b"X,y\n1,2\n", GOOD[:-1], GOOD + b" ", GOOD[30:], b"PK\x03\x04" + bytes(100)):
        assert refusal(data).status == 422


def only_refuses(read: Callable[[], object]) -> None:
    try:
        read()
    except SpecError as error:
        assert error.status in (413, 422)
        assert len(error.errors) == 1


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), max_size=6), st.integers(0, len(GOOD)))
def test_no_damage_does_more_than_to_be_refused(changes: list[tuple[int, int]], cut: int) -> None:
    data = bytearray(GOOD)
    for place, value in changes:
        data[place] = value
    for spoilt in (bytes(data), bytes(data[:cut])):
        only_refuses(lambda spoilt=spoilt: read_dataset(spoilt, "npz", limit=1 << 16))
        only_refuses(lambda spoilt=spoilt: read_init(spoilt, limit=1 << 16))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300) | st.text(alphabet='01.,-e"\n\rxy ', max_size=200).map(str.encode))
def test_no_text_does_more_than_to_be_refused(data: bytes) -> None:
    only_refuses(lambda: read_dataset(data, "csv"))
    only_refuses(lambda: read_dataset(data, "npz"))
    only_refuses(lambda: read_npz(with_header(data.decode("latin1"), bytes(48)), NAMES, 1 << 16))


def test_csv_is_read_to_the_last_bit() -> None:
    rows = "\n".join(",".join(map(repr, [*row, label])) for row, label in zip(X.tolist(), Y.tolist(), strict=True))
    expected = read_dataset(GOOD, "npz")
    assert read_dataset(f"a,b,c,y\n{rows}\n".encode(), "csv") == expected
    assert read_dataset(f'\ufeffa,b,"c",y\r\n{rows}\r\n\r\n'.encode(), "csv") == expected
    moved = "y,a,b,c\n" + "\n".join(
        ",".join(map(repr, [label, *row])) for row, label in zip(X.tolist(), Y.tolist(), strict=True)
    )
    assert read_dataset(moved.encode(), "csv", "y") == expected


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        ("a,y\n1,2\n3\n", "/2"), ("a,y\n1,\n", "/1/y"), ("a,y\n1,nan\n", "/1/y"), ("a,y\n1_0,2\n", "/1/a"),
        ("1,2\n3,4\n", ""), ("a,a\n1,2\n", ""), ("y\n1\n", ""), ("", ""), ("a,y\n", "/X"), ("a,y\n1,1e999\n", "/y/0"),
        ('a,y\n"1,2\n', "/2"), ("a;y\n1;2\n", ""), (f"a,y\n1,{'9' * 100_000}x\n", "/1/y"), ("a,y\n1,2\0\n", "/1/y"),
    ],
)  # fmt: skip
def test_csv_mistakes_have_a_place(text: str, pointer: str) -> None:
    with pytest.raises(SpecError) as caught:
        read_dataset(text.encode(), "csv")
    assert caught.value.errors[0].pointer == pointer


def test_csv_has_a_limit_and_named_columns() -> None:
    with pytest.raises(SpecError) as caught:
        read_dataset(b"a,y\n" + b"1,2\n" * 100, "csv", limit=512)
    assert caught.value.status == 413
    with pytest.raises(SpecError, match="did you mean 'label'"):
        read_dataset(b"a,label\n1,2\n", "csv", "lable")
