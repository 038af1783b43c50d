"""scitokens-cpp through its C interface: scitokens_cpp.py RUN LIBRARY

The keys are put into its SQLite cache, which all versions have; nothing is fetched.
"""

import ctypes
import os
import sys

from common import Run, each, freeze, prime_scitokens, scratch

COLUMNS = ["verify-compat", "enforce-aud", "enforce-noaud", "verify-wlcg"]
COMPAT, WLCG_1_0 = 0, 3


class Acl(ctypes.Structure):
    _fields_ = [("authz", ctypes.c_char_p), ("resource", ctypes.c_char_p)]


class Library:
    def __init__(self, path):
        self.c = ctypes.CDLL(path)
        for name in ["scitoken_create", "enforcer_create"]:
            getattr(self.c, name).restype = ctypes.c_void_p

    def error(self):
        return ctypes.c_char_p()

    def verify(self, token, profile):
        """(handle, None) or (None, reason)."""
        handle = ctypes.c_void_p(self.c.scitoken_create(None))
        self.c.scitoken_set_deserialize_profile(handle, profile)
        error = self.error()
        if self.c.scitoken_deserialize_v2(token, handle, None, ctypes.byref(error)):
            return None, error.value or b""
        return handle, None

    def enforce(self, issuer, audiences, handle):
        """(list of (authz, path), None) or (None, reason)."""
        error = self.error()
        list_type = ctypes.c_char_p * (len(audiences) + 1)
        enforcer = self.c.enforcer_create(issuer.encode(), list_type(*audiences, None), ctypes.byref(error))
        if not enforcer:
            return None, error.value or b""
        acls = ctypes.POINTER(Acl)()
        if self.c.enforcer_generate_acls(ctypes.c_void_p(enforcer), handle, ctypes.byref(acls), ctypes.byref(error)):
            return None, error.value or b""
        found = []
        while acls[len(found)].authz or acls[len(found)].resource:
            found.append((acls[len(found)].authz, acls[len(found)].resource))
        return found, None


def main():
    run = Run(sys.argv[1])
    freeze(run)
    os.environ["XDG_CACHE_HOME"] = scratch("cache")
    prime_scitokens(run, os.environ["XDG_CACHE_HOME"])
    library = Library(sys.argv[2])

    def judge(token):
        # Access lists last: they are what may end the process.
        for column, profile in [("verify-wlcg", WLCG_1_0), ("verify-compat", COMPAT)]:
            handle, reason = library.verify(token, profile)
            yield (column, "accept", "") if handle else (column, "reject", reason)
        for column, audiences in [("enforce-aud", [run.audience.encode()]), ("enforce-noaud", [])]:
            if not handle:
                yield column, "reject", b"(not verified) " + reason
                continue
            acls, why = library.enforce(run.issuer, audiences, handle)
            if acls is None:
                yield column, "reject", why
            else:
                shown = b",".join((authz or b"") + b":" + (path or b"") for authz, path in acls[:6])
                yield column, "accept", f"{len(acls)} acl: ".encode() + shown

    each(run, COLUMNS, judge)


main()
