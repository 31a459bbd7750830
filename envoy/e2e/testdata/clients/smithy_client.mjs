// Signs with @smithy/signature-v4. A line of JSON in is a request, a line of JSON out is the signed one.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const require = createRequire(process.env.NODE_MODULES + "/");
const { SignatureV4 } = require("@smithy/signature-v4");
const { HttpRequest } = require("@smithy/protocol-http");
const { buildQueryString } = require("@smithy/core/protocols");
const { Sha256 } = require("@aws-crypto/sha256-js");

function queryOf(url) {
  const query = {};
  for (const [key, value] of url.searchParams) query[key] = key in query ? [].concat(query[key], value) : value;
  return query;
}

// The query is written as the SDK's own HTTP handler writes it.
const targetOf = ({ path, query }) => (Object.keys(query).length ? path + "?" + buildQueryString(query) : path);

async function sign(r) {
  const url = new URL(r.url);
  const body = Buffer.from(r.body, "base64");
  const request = new HttpRequest({
    method: r.method,
    protocol: "https:",
    hostname: url.hostname,
    path: url.pathname,
    query: queryOf(url),
    headers: { host: url.host, ...Object.fromEntries(r.headers) },
    body: body.length ? new Uint8Array(body) : undefined,
  });
  const signer = new SignatureV4({
    service: r.service,
    region: r.region,
    sha256: Sha256,
    credentials: { accessKeyId: r.accessKeyId, secretAccessKey: r.secretAccessKey, sessionToken: r.sessionToken || undefined },
  });
  const signingDate = r.time ? new Date(r.time.replace(/(....)(..)(..T..)(..)(..Z)/, "$1-$2-$3:$4:$5")) : new Date();
  const signed = r.mode === "presigned" ? await signer.presign(request, { signingDate, expiresIn: r.expires }) : await signer.sign(request, { signingDate });
  return { target: targetOf(signed), headers: Object.entries(signed.headers).filter(([name]) => name !== "host") };
}

for await (const line of createInterface({ input: process.stdin })) {
  const answer = await sign(JSON.parse(line)).catch((e) => ({ error: String(e) }));
  process.stdout.write(JSON.stringify(answer) + "\n");
}
