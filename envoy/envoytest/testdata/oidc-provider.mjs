// An OpenID Connect issuer, oidc-provider, whose keys and faults a test commands.
//
//   node oidc-provider.mjs FOLDER [ISSUER]
//
// FOLDER keeps port and keys, so that the issuer is the same one after a restart. It says on its standard output where it listens, and
// where for commands, each a POST of JSON:
//
//   /rotate     {}                        new keys sign; the old ones stay in the set
//   /retire     {}                        the old ones leave the set
//   /misbehave  {at, mode, milliseconds}  answers of "keys" or "discovery" go wrong; without a mode they are right again. "keys?a" are
//                                         those to requests with the query a alone
//   /fetches    {}                        how often both were asked for
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const { Provider } = await import(pathToFileURL(join(process.env.NODE_MODULES, "oidc-provider", "lib", "index.js")));

const [folder, named] = process.argv.slice(2);
const file = join(folder, "state.json");
const paths = { "/jwks": "keys", "/.well-known/openid-configuration": "discovery" };

function makeKey(type, options, use, alg) {
  const jwk = generateKeyPairSync(type, options).privateKey.export({ format: "jwk" });
  return { ...jwk, use, kid: randomUUID(), ...(alg && { alg }) };
}

// The RSA key names no algorithm: it signs RS256 to RS512 and PS256 to PS512.
function makeSigningKeys() {
  return [
    makeKey("rsa", { modulusLength: 2048 }, "sig"),
    makeKey("ec", { namedCurve: "P-256" }, "sig", "ES256"),
    makeKey("ec", { namedCurve: "P-384" }, "sig", "ES384"),
    makeKey("ed25519", undefined, "sig", "EdDSA"),
  ];
}

const state = existsSync(file)
  ? JSON.parse(readFileSync(file, "utf8"))
  : { port: 0, current: makeSigningKeys(), old: [], encryption: makeKey("rsa", { modulusLength: 2048 }, "enc", "RSA-OAEP-256") };

// What a token request asks for is written into its resource indicator.
function asked(resource) {
  return JSON.parse(Buffer.from(new URL(resource).searchParams.get("token"), "base64url"));
}

function makeProvider(issuer) {
  return new Provider(issuer, {
    // The first key that fits signs.
    jwks: { keys: [...state.current, ...state.old, state.encryption] },
    clients: [
      { client_id: "pets", client_secret: "pets", grant_types: ["client_credentials"], redirect_uris: [], response_types: [], token_endpoint_auth_method: "client_secret_post" },
    ],
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      encryption: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo(ctx, resource) {
          const { alg, audience, scopes, seconds } = asked(resource);
          return { audience, scope: scopes.join(" "), accessTokenTTL: seconds, accessTokenFormat: "jwt", jwt: { sign: { alg } } };
        },
      },
    },
    formats: {
      customizers: {
        // Claims that are null are left out of the token.
        jwt(ctx, token, jwt) {
          const { claims } = asked(ctx.oidc.params.resource);
          for (const [name, value] of Object.entries(claims)) jwt.payload[name] = value === null ? undefined : value;
        },
      },
    },
  });
}

const faults = { keys: {}, discovery: {} };
const fetches = { keys: 0, discovery: 0 };
let handle;

// Ways to answer wrongly. One that returns nothing leaves the answer to the provider.
const modes = {
  slow: (res, { milliseconds }) => new Promise((done) => setTimeout(done, milliseconds)),
  hang: () => new Promise(() => {}),
  error: (res) => send(res, 500, "application/json", '{"error":"server_error"}'),
  html: (res) => send(res, 200, "text/html", "<!DOCTYPE html><title>Down for maintenance</title>"),
  // Whoever follows finds the right answer.
  redirect: (res, fault, path) => send(res.setHeader("location", `${path}?right`), 302, "text/plain", ""),
  large: (res) => send(res, 200, "application/json", JSON.stringify({ keys: [], padding: "x".repeat(2 << 20) })),
  empty: (res) => send(res, 200, "application/json", '{"keys":[]}'),
  // The set holds no key that signs, but one that encrypts.
  without: (res) => send(res, 200, "application/json", JSON.stringify({ keys: [publicPart(state.encryption)] })),
  // The discovery document is another issuer's.
  other: (res) => send(res, 200, "application/json", JSON.stringify({ issuer: "https://other.example.com", jwks_uri: issuer + "/jwks" })),
};

function publicPart({ kty, use, kid, alg, n, e }) {
  return { kty, use, kid, alg, n, e };
}

function send(res, status, type, body) {
  res.writeHead(status, { "content-type": type });
  res.end(body);
  return true;
}

const server = createServer(async (req, res) => {
  const [path, query] = req.url.split("?");
  const at = paths[path];
  if (at) {
    fetches[at]++;
    const fault = faults[`${at}?${query}`] ?? faults[at];
    if (fault.mode && query !== "right" && (await modes[fault.mode](res, fault, path))) return;
  }
  handle(req, res);
});
await listen(server, state.port);
state.port = server.address().port;
const issuer = named || `http://127.0.0.1:${state.port}`;
use();

// use serves with the keys of the state.
function use() {
  writeFileSync(file, JSON.stringify(state), { mode: 0o600 });
  handle = makeProvider(issuer).callback();
}

const commands = {
  "/rotate"() {
    state.old.unshift(...state.current);
    state.current = makeSigningKeys();
    use();
  },
  "/retire"() {
    state.old = [];
    use();
  },
  "/misbehave"({ at, ...fault }) {
    if (!faults[at.split("?")[0]] || (fault.mode && !modes[fault.mode])) throw new Error(`no such fault: ${at} ${fault.mode}`);
    faults[at] = fault;
  },
  "/fetches": () => fetches,
};

const admin = createServer(async (req, res) => {
  try {
    let body = "";
    for await (const chunk of req) body += chunk;
    send(res, 200, "application/json", JSON.stringify(commands[req.url](JSON.parse(body)) ?? {}));
  } catch (e) {
    send(res, 400, "text/plain", String(e));
  }
});
await listen(admin, 0);

function listen(server, port) {
  return new Promise((done, failed) => server.once("error", failed).listen(port, "127.0.0.1", done));
}

console.log(`listening on http://127.0.0.1:${state.port}`);
console.log(`commands on http://127.0.0.1:${admin.address().port}`);
