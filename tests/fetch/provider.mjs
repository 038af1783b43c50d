// Starts oidc-provider on loopback, registers a client at it as anybody may, and prints two lines: the issuer, and the
// answer to the registration. The provider runs until it is killed. Argument: the folder of the installed modules.
import { createServer } from "node:http";
import { pathToFileURL } from "node:url";
import { join } from "node:path";

const load = (name) => import(pathToFileURL(join(process.argv[2], name)).href);
const { default: Provider } = await load("oidc-provider/lib/index.js");

const server = createServer();
await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
const issuer = `http://127.0.0.1:${server.address().port}`;
const provider = new Provider(issuer, {
  features: { registration: { enabled: true }, devInteractions: { enabled: false }, clientCredentials: { enabled: true } },
});
server.on("request", provider.callback());

const response = await fetch(`${issuer}/reg`, {
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify({
    client_name: "Self-registered test client",
    redirect_uris: ["https://app.example.org/callback"],
    grant_types: ["authorization_code"],
    response_types: ["code"],
  }),
});
console.log(issuer);
console.log(JSON.stringify(await response.json()));
