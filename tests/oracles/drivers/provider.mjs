// A live OpenID Provider that registers clients, on loopback without TLS: provider.mjs PACKAGES PORT
// Its settings are the product's defaults, with dynamic registration, client credentials, device flow and WLCG scopes switched on.

import { generateKeyPairSync } from "node:crypto";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [packages, port] = process.argv.slice(2);
const resolve = createRequire(join(packages, "package.json"));
const { default: Provider } = await import(pathToFileURL(resolve.resolve("oidc-provider")));

const jwk = (type, options, alg) => ({ ...generateKeyPairSync(type, options).privateKey.export({ format: "jwk" }), alg, use: "sig", kid: alg });
const provider = new Provider(`http://localhost:${port}`, {
  jwks: { keys: [jwk("rsa", { modulusLength: 2048 }, "RS256"), jwk("ec", { namedCurve: "P-256" }, "ES256")] },
  scopes: ["openid", "offline_access", "wlcg", "wlcg.groups", "storage.read:/", "storage.modify:/", "compute.read"],
  clientAuthMethods: ["client_secret_basic", "client_secret_jwt", "client_secret_post", "private_key_jwt", "none"],
  responseTypes: ["code id_token", "code", "id_token", "none"],
  features: {
    registration: { enabled: true },
    registrationManagement: { enabled: true },
    clientCredentials: { enabled: true },
    deviceFlow: { enabled: true },
    introspection: { enabled: true },
    devInteractions: { enabled: false },
  },
});
provider.listen(Number(port), "127.0.0.1");
