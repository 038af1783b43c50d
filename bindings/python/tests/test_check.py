"""check: configuration and tokens in memory."""

from __future__ import annotations

import json
import pickle
import subprocess
import traceback
from pathlib import Path
from typing import Any

import pytest
import tokenvet
from conftest import NOW, SIGNATURE, token

CLIENT = {
    "client_id": "c-1",
    "client_name": "uploads",
    "client_secret": SIGNATURE,
    "redirect_uris": ["http://host.example.org/*"],
    "grant_types": ["implicit", "client_credentials"],
    "scope": "wlcg storage.modify:/",
    "token_endpoint_auth_method": "client_secret_basic",
}


def test_a_client_is_judged_with_the_place_of_what_is_wrong() -> None:
    text = json.dumps(CLIENT, indent=2)
    report = tokenvet.check({"clients.json": text}, now=NOW)
    (found,) = [one for one in report.findings if one.rule == "client-redirect-wildcard"]
    assert found.path == "clients.json" and found.pointer == "/redirect_uris/0"
    assert text.splitlines()[found.region.start_line - 1].strip() == '"http://host.example.org/*"'
    assert found.index is None and found.target == tokenvet.Target("client", "uploads")
    assert SIGNATURE not in repr(report)


def test_what_cannot_be_judged_is_named() -> None:
    gaps = tokenvet.check({"token.json": json.dumps({"iss": "https://vo.example.org/", "sub": "s"})}).not_judged
    assert all(gap.why and gap.path == "token.json" for gap in gaps)


def test_a_chosen_profile_judges() -> None:
    def profiles(*chosen: str) -> set[str]:
        report = tokenvet.check({"t": token(scope="storage.read:/")}, now=NOW, profiles=chosen)
        return {one.profile.split("@")[0] for one in report.findings}

    assert "wlcg" in profiles() and "wlcg" not in profiles("scitokens")
    for wrong in ("wlcg@77", "no-such", token()):
        with pytest.raises(ValueError, match="wlcg") as caught:
            profiles(wrong)
        assert "CANARY" not in str(caught.value)
    with pytest.raises(TypeError):
        tokenvet.check({}, profiles="wlcg@1.3")


@pytest.mark.parametrize(
    ("content", "place", "remark"),
    [
        (f'{{"client_secret": "{SIGNATURE}",\n  oops}}', (2, 3), "broken JSON"),
        (f'{{"client_secret": "{SIGNATURE}', None, "cut off within a secret"),
        (f"client_secret: {SIGNATURE}\n\tx: [", None, "broken YAML"),
        (f'{{"a": "{SIGNATURE}"}}', (None, None), "not recognised"),
        (f'{{"client_secret": "{SIGNATURE}"}}\n'.encode() + b"\xff", (2, 1), "bytes that are no UTF-8"),
        (b"\xff\xfe{", (1, 1), "UTF-16"),
        ("{ \x00" + SIGNATURE, (1, 3), "a NUL byte"),
        ("[" * 200_000, None, "too deep"),
        ("", (1, 1), "nothing"),
        (f'{{"client_secret": "{SIGNATURE}\ud800"}}', None, "half a pair of surrogates"),
    ],
)
def test_errors_say_where_and_quote_nothing(content: str | bytes, place: Any, remark: str) -> None:
    good = json.dumps(CLIENT)
    with pytest.raises(tokenvet.Error) as caught:
        tokenvet.check({"good.json": good, "bad.json": content}, now=NOW)
    error = caught.value
    assert error.path == "bad.json" and str(error).startswith("bad.json"), remark
    if place:
        assert (error.line, error.column) == place, remark
    assert error.report and error.report.findings, "a bad text hides nothing in others"
    told = "".join(traceback.format_exception(caught.type, error, caught.tb))
    for text in (str(error), repr(error), told, repr(vars(error)), repr(pickle.loads(pickle.dumps(error)))):
        assert "CANARY" not in text, remark
    assert error.__cause__ is None and error.__context__ is None


def test_texts_are_judged_together() -> None:
    metadata = {
        "issuer": "https://vo.example.org/",
        "authorization_endpoint": "https://vo.example.org/authorize",
        "token_endpoint": "https://vo.example.org/token",
        "jwks_uri": "https://vo.example.org/jwk",
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "grant_types_supported": ["authorization_code"],
    }
    texts = {"iam/clients.json": json.dumps(CLIENT), "iam/openid-configuration.json": json.dumps(metadata)}
    alone = [one.rule for name in texts for one in tokenvet.check({name: texts[name]}, now=NOW).findings]
    together = [one.rule for one in tokenvet.check(texts, now=NOW).findings]
    assert "client-grant-not-offered" in together and "client-grant-not-offered" not in alone


def test_the_command_finds_the_same(demo: Path, command: str) -> None:
    run = subprocess.run(
        [command, "check", ".", "--no-config", "--format", "json", "--now", NOW.isoformat()],
        cwd=demo,
        capture_output=True,
        text=True,
    )
    whole = json.loads(run.stdout)
    paths = [document["path"] for document in whole["documents"]]
    report = tokenvet.check({path: (demo / path).read_bytes() for path in dict.fromkeys(paths)}, now=NOW)
    key = ("rule", "profile", "message", "path", "pointer", "fingerprint")
    expected = [tuple(one[member] for member in key) for one in whole["findings"]]
    assert [tuple(getattr(one, member) for member in key) for one in report.findings] == expected and expected
    assert len(report.not_judged) == len(whole["not_judged"])


def test_comments_suppress() -> None:
    text = "\n".join(f"{member}: {json.dumps(CLIENT[member])}" for member in CLIENT)
    text = text.replace("*\"]", "*\"] # tokenvet: allow client-redirect-wildcard -- a trial")
    findings = tokenvet.check({"client.yaml": text}, now=NOW).findings
    suppressed = {one.rule: one.suppressed for one in findings if one.suppressed}
    assert suppressed == {"client-redirect-wildcard": tokenvet.Suppressed("inline", "a trial")}


@pytest.fixture
def demo(pytestconfig: pytest.Config) -> Path:
    folder = pytestconfig.rootpath.parents[1] / "testdata" / "demo"
    assert folder.is_dir()
    return folder
