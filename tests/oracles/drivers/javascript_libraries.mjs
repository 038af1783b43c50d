// jose and jsonwebtoken with the call that their documentation recommends: javascript_libraries.mjs RUN PACKAGES
// Both can be told the time. Prints case, column, verdict, reason, separated by tabs.

import { createPublicKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [run, packages] = process.argv.slice(2);
const resolve = createRequire(join(packages, "package.json"));
const jose = await import(pathToFileURL(resolve.resolve("jose")));
const jsonwebtoken = resolve("jsonwebtoken");

const settings = JSON.parse(readFileSync(join(run, "settings.json"), "utf8"));
const jwks = JSON.parse(readFileSync(join(run, "jwks.json"), "utf8"));
const algorithms = ["RS256", "ES256"];
const audience = [settings.audience, "https://wlcg.cern.ch/jwt/v1/any"];
const issuer = settings.issuer;
const clock = settings.now + 5;

const local = jose.createLocalJWKSet(jwks);
const keys = new Map(jwks.keys.map((key) => [key.kid, key]));

const libraries = {
  "jose-js-6.2.17": (token) =>
    jose.jwtVerify(token, local, {
      algorithms, audience, issuer, currentDate: new Date(clock * 1000), requiredClaims: ["exp", "sub", "iat"],
    }),
  "jsonwebtoken-js-9.0.3": (token) => {
    const decoded = jsonwebtoken.decode(token, { complete: true });
    if (!decoded) throw new Error("cannot decode");
    const key = keys.get(decoded.header.kid);
    if (!key) throw new Error("no key for kid");
    return jsonwebtoken.verify(token, createPublicKey({ key, format: "jwk" }), { algorithms, audience, issuer, clockTimestamp: clock });
  },
};

const plain = (text) => String(text).replace(/[\x00-\x1f\x7f]/g, " ");
for (const name of settings.cases) {
  const token = readFileSync(join(run, "tokens", `${name}.jwt`), "utf8");
  for (const [column, verify] of Object.entries(libraries)) {
    let verdict = "accept";
    let reason = "";
    try {
      await verify(token);
    } catch (error) {
      verdict = "reject";
      reason = `${error.code ?? error.name}: ${error.message}`;
    }
    process.stdout.write(`${name}\t${column}\t${verdict}\t${plain(reason)}\n`);
  }
}
