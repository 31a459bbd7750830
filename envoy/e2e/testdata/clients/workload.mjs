// Calls a guarded API as a workload with the AWS SDK for JavaScript: credentials come from the SDK's default chain, the signature from its
// signer. A line of JSON in is a request for a connection, a line of JSON out is the answer's status.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const require = createRequire(process.env.NODE_MODULES + "/");
const { defaultProvider } = require("@aws-sdk/credential-provider-node");
const { SignatureV4 } = require("@smithy/signature-v4");
const { HttpRequest } = require("@smithy/protocol-http");
const { Sha256 } = require("@aws-crypto/sha256-js");

const credentials = defaultProvider(); // remembers them, and renews them
const signer = new SignatureV4({ service: "execute-api", region: process.env.AWS_REGION, sha256: Sha256, credentials });

async function call({ endpoint, method, connection, body }) {
  const url = new URL(`${endpoint}/@connections/${connection}`);
  const data = body ? new Uint8Array(Buffer.from(body, "base64")) : undefined;
  const { hostname, host, pathname: path, protocol } = url;
  const { headers } = await signer.sign(new HttpRequest({ method, protocol, hostname, path, headers: { host }, body: data }));
  delete headers.host; // fetch writes it
  const response = await fetch(url, { method, headers, body: data });
  await response.arrayBuffer();
  return { status: response.status };
}

for await (const line of createInterface({ input: process.stdin })) {
  const answer = await call(JSON.parse(line)).catch((e) => ({ error: String(e) }));
  process.stdout.write(JSON.stringify(answer) + "\n");
}
