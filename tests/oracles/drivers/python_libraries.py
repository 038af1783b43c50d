"""Python libraries with the call that their documentation recommends: python_libraries.py RUN

Algorithms RS256 and ES256, the issuer, and as audience the service's own or the WLCG any-URL, where the library can check them.
"""

import os
import sys

import issuer
from common import Run, each, freeze, scratch

ALGORITHMS = ["RS256", "ES256"]
ANY = "https://wlcg.cern.ch/jwt/v1/any"


def text(token):
    return token.decode("utf-8", "surrogateescape")


def pyjwt(run, token):
    import jwt
    keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(run.jwks).keys}
    kid = jwt.get_unverified_header(text(token)).get("kid")
    if kid not in keys:
        raise KeyError("no key for kid")
    jwt.decode(text(token), keys[kid].key, algorithms=ALGORITHMS, audience=[run.audience, ANY], issuer=run.issuer,
               options={"require": ["exp", "iss", "aud", "sub"]})
    return ""


def joserfc(run, token):
    from joserfc import jwt
    from joserfc.jwk import KeySet
    keys = KeySet.import_key_set(run.jwks)
    claims = jwt.decode(text(token), keys, algorithms=ALGORITHMS).claims
    jwt.JWTClaimsRegistry(iss={"essential": True, "value": run.issuer}, exp={"essential": True},
                          sub={"essential": True}, aud={"essential": True, "values": [run.audience, ANY]}).validate(claims)
    return ""


def authlib(run, token):
    from authlib.jose import JsonWebKey, JsonWebToken
    keys = JsonWebKey.import_key_set(run.jwks)
    options = {"iss": {"essential": True, "value": run.issuer}, "exp": {"essential": True}, "sub": {"essential": True},
               "aud": {"essential": True, "values": [run.audience, ANY]}}
    JsonWebToken(ALGORITHMS).decode(token, keys, claims_options=options).validate()
    return ""


def python_jose(run, token):
    from jose import jwt
    from jose.utils import base64url_decode
    claims = None
    for audience in [run.audience, ANY]:
        try:
            return str(jwt.decode(text(token), run.jwks, algorithms=ALGORITHMS, audience=audience, issuer=run.issuer,
                                  options={"require_exp": True, "require_sub": True, "require_iss": True, "require_aud": True}) and "")
        except Exception as error:
            if "Invalid audience" not in str(error) or audience == ANY:
                raise
    return claims


def jwcrypto(run, token):
    import json
    from jwcrypto import jwk, jwt
    keys = jwk.JWKSet.from_json(json.dumps(run.jwks))
    jwt.JWT(jwt=text(token), key=keys, algs=ALGORITHMS, check_claims={"iss": run.issuer, "aud": [run.audience, ANY], "exp": None,
                                                                       "sub": None})
    return ""


def flaat(run, token):
    from flaat import BaseFlaat
    service = BaseFlaat()
    service.set_trusted_OP_list([run.issuer])
    infos = service.get_user_infos_from_access_token(text(token))
    if infos is None:
        raise ValueError("no user infos")
    service._reject_unusable_user_infos(infos)
    return ""


def scitokens(run, token):
    from scitokens import SciToken
    claims = SciToken.deserialize(text(token), audience=[run.audience, ANY])
    return f"verified {len(list(claims.claims()))} claims"


def scitokens_enforcer(run, token, audience):
    from scitokens import Enforcer, SciToken
    parsed = SciToken.deserialize(text(token), audience=[run.audience, ANY])
    acls = Enforcer(run.issuer, audience=audience).generate_acls(parsed)
    return f"{len(acls)} acl: {sorted(acls)[:6]}"


LIBRARIES = {"PyJWT-2.15.1": pyjwt, "joserfc-1.8.0": joserfc, "Authlib-1.9.9": authlib, "python-jose-3.5.0": python_jose,
             "jwcrypto-1.6.1": jwcrypto, "flaat-1.3.1": flaat, "scitokens-py-1.9.7": scitokens,
             "scitokens-py-enforcer-1.9.7": lambda run, token: scitokens_enforcer(run, token, run.audience),
             "scitokens-py-enforcer+any-1.9.7": lambda run, token: scitokens_enforcer(run, token, [run.audience, ANY])}


def main():
    run = Run(sys.argv[1])
    for name in ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"]:
        os.environ[name] = os.path.join(run.directory, "ca.pem")
    freeze(run)
    os.environ["XDG_CACHE_HOME"] = os.environ["HOME"] = scratch("home")
    issuer.serve(run)
    import jwt, joserfc, authlib.jose, jose, jwcrypto.jwt, flaat, scitokens  # noqa: loaded once, before the forks

    def judge(token):
        for name, verify in LIBRARIES.items():
            try:
                yield name, "accept", verify(run, token)
            except Exception as error:
                yield name, "reject", f"{type(error).__name__}: {error}"

    # Once before the forks, so that every child finds the caches filled.
    list(judge(run.token(run.names[0])))
    each(run, list(LIBRARIES), judge, patience=30)


main()
