"""The rules of benches/parity in the forms of other programs, `count` of them: the ten over and over with other constants."""

import json
import re
from pathlib import Path


def rounds(count):
    """The constants of every round; the first is that of the rules as they stand."""
    for n in range(count // 10):
        first = n == 0
        yield {
            "n": n,
            "plain": "http://" if first else f"http://v{n}.",
            "star": "*" if first else f"*.v{n}",
            "implicit": "implicit" if first else f"implicit{n}",
            "password": "password" if first else f"password{n}",
            "none": "none" if first else f"none{n}",
            "limit": 21600 + n,
            "contacts": None if first else 20 + n,
            "name": 3 if first else 1,
            "write": "storage.modify:/" if first else f"storage.modify:/v{n}",
        }


def tokenvet(count, source, folder):
    """Our own rule files."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(Path(source).glob("*.yaml")):
        text = path.read_text()
        for r in rounds(count):
            rule = text.replace(f"id: {path.stem}", f"id: {path.stem}-{r['n']}", 1)
            if r["n"]:
                for old, new in [
                    ("'^http://'", f"'^http://v{r['n']}\\.'"),
                    ("'\\*'", f"'\\*\\.v{r['n']}'"),
                    ("[implicit]", f"[{r['implicit']}]"),
                    ("[password]", f"[{r['password']}]"),
                    ("not_equals: none", f"not_equals: {r['none']}"),
                    ("max: 21600", f"max: {r['limit']}"),
                    ("min: 1 ", f"max: {r['contacts']} "),
                    ("min: 3 ", "min: 1 "),
                    ("modify:/$", f"modify:/v{r['n']}$"),
                ]:
                    rule = rule.replace(old, new)
            (folder / f"{path.stem}-{r['n']}.yaml").write_text(rule)
    return folder


def json_schema(count, path):
    """One schema; every rule is a condition of its own."""
    parts = []
    for r in rounds(count):
        without = lambda pattern: {"not": {"pattern": pattern}}
        parts += [
            {"properties": {"redirect_uris": {"items": without("^" + re.escape(r["plain"]))}}},
            {"properties": {"redirect_uris": {"items": without(re.escape(r["star"]))}}},
            {"properties": {"grant_types": {"items": {"not": {"const": r["implicit"]}}}}},
            {"properties": {"grant_types": {"items": {"not": {"const": r["password"]}}}}},
            {"properties": {"token_endpoint_auth_method": {"not": {"const": r["none"]}}}},
            {"properties": {"access_token_validity_seconds": {"maximum": r["limit"]}}},
            {"properties": {"contacts": {"minItems": 1} if r["contacts"] is None else {"maxItems": r["contacts"]}}},
            {"properties": {"policy_uri": without("^" + re.escape(r["plain"]))}},
            {"properties": {"client_name": {"minLength": r["name"]}}},
            {"properties": {"scope": without("(^| )" + re.escape(r["write"]) + "( |$)")}},
        ]
    path.write_text(json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", "allOf": parts}))
    return path


def guard(count, path):
    """Rules of CloudFormation Guard."""
    lines = []
    # A slash ends a pattern there, and a backslash before it does not help.
    pattern = lambda text: text.replace(".", "[.]").replace("*", "[*]").replace("/", ".")
    for r in rounds(count):
        n = r["n"]
        contacts = "contacts not empty" if r["contacts"] is None else f"contacts[{r['contacts']}] not exists"
        lines += [
            f"rule redirect_plain_{n} {{ redirect_uris[*] {{ this != /^{pattern(r['plain'])}/ }} }}",
            f"rule redirect_star_{n} {{ redirect_uris[*] {{ this != /{pattern(r['star'])}/ }} }}",
            f"rule implicit_{n} {{ grant_types[*] != '{r['implicit']}' }}",
            f"rule password_{n} {{ grant_types[*] != '{r['password']}' }}",
            f"rule public_{n} {{ token_endpoint_auth_method != '{r['none']}' }}",
            f"rule lifetime_{n} {{ access_token_validity_seconds <= {r['limit']} }}",
            f"rule contact_{n} {{ {contacts} }}",
            f"rule policy_{n} {{ policy_uri != /^{pattern(r['plain'])}/ }}",
            f"rule name_{n} {{ client_name == /^.{{{r['name']},}}$/ }}",
            f"rule write_{n} {{ scope != /(^| ){pattern(r['write'])}( |$)/ }}",
        ]
    path.write_text("\n".join(lines) + "\n")
    return path
