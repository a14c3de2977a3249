import hashlib

import pytest

from vser_stream.adapters.audio.rtsp_login import Login

URL = "/dir/index.html"
NONCE = "dcd98b7102dd2f0e8b11d0f600bfb0c093"


def test_basic() -> None:
    login = Login("Aladdin", "open sesame")
    assert login.answer("DESCRIBE", URL) is None
    assert login.take(['Basic realm="WallyWorld"'])
    assert login.answer("DESCRIBE", URL) == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="  # RFC 2617, 2


def test_digest_without_qop() -> None:
    login = Login("Mufasa", "CircleOfLife")
    assert login.take([f'Digest realm="testrealm@host.com", nonce="{NONCE}", opaque="5ccc069c"'])
    answer = login.answer("GET", URL) or ""
    # RFC 2069 with its erratum 749
    assert 'response="1949323746fe6a43ef61f9606e7febea"' in answer
    assert 'opaque="5ccc069c"' in answer
    assert "CircleOfLife" not in answer


@pytest.mark.parametrize(("algorithm", "name"), [("MD5", "md5"), ("SHA-256", "sha256")])
def test_digest_with_qop_counts_its_answers(algorithm: str, name: str) -> None:
    login = Login("Mufasa", "Circle of Life")
    assert login.take([f'Digest realm="r", nonce="{NONCE}", qop="auth,auth-int", algorithm={algorithm}'])

    def hashed(words: str) -> str:
        return hashlib.new(name, words.encode()).hexdigest()

    for count in ("00000001", "00000002"):
        answer = login.answer("PLAY", URL) or ""
        cnonce = answer.partition('cnonce="')[2].partition('"')[0]
        secret, asked = hashed("Mufasa:r:Circle of Life"), hashed(f"PLAY:{URL}")
        expected = hashed(f"{secret}:{NONCE}:{count}:{cnonce}:auth:{asked}")
        assert f'response="{expected}"' in answer
        assert f"nc={count}" in answer


def test_the_strongest_way_is_taken_and_an_unknown_one_never() -> None:
    login = Login("a", "b")
    assert login.take(['Basic realm="x"', f'Digest realm="x", nonce="{NONCE}"'])
    assert (login.answer("PLAY", URL) or "").startswith("Digest")
    assert not Login("a", "b").take(["Negotiate abc", 'Digest realm="x"', 'Digest nonce="n", algorithm=MD6'])
    assert not Login("", "").take(['Basic realm="x"'])


def test_a_wrong_password_is_told_once_and_an_old_nonce_is_renewed() -> None:
    login = Login("a", "b")
    assert login.take([f'Digest realm="x", nonce="{NONCE}"'])
    assert not login.take([f'Digest realm="x", nonce="{NONCE}"'])
    assert not login.take(['Digest realm="x", nonce="another"'])
    assert login.take(['Digest realm="x", nonce="third", stale=true'])


def test_nothing_secret_is_shown() -> None:
    login = Login("a-user", "s3cret")
    login.take(['Basic realm="x"'])
    assert "s3cret" not in repr(login)
    assert "a-user" not in repr(login)
