// Signs with aws4. A line of JSON in is a request, a line of JSON out is the signed one.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const aws4 = createRequire(process.env.NODE_MODULES + "/")("aws4");

function sign(r) {
  const url = new URL(r.url);
  const body = Buffer.from(r.body, "base64");
  const headers = {};
  for (const [name, value] of r.headers) headers[name] = name in headers ? [].concat(headers[name], value) : value;
  let path = url.pathname + url.search;
  const presigned = r.mode === "presigned";
  if (presigned) {
    path += (url.search ? "&" : "?") + "X-Amz-Expires=" + r.expires;
    if (r.time) path += "&X-Amz-Date=" + r.time;
  } else if (r.time) {
    headers["X-Amz-Date"] = r.time;
  }
  const credentials = { accessKeyId: r.accessKeyId, secretAccessKey: r.secretAccessKey, sessionToken: r.sessionToken || undefined };
  const signed = aws4.sign(
    { method: r.method, host: url.host, path, headers, body: body.length ? body : undefined, service: r.service, region: r.region, signQuery: presigned },
    credentials,
  );
  const lines = Object.entries(signed.headers).flatMap(([name, value]) => [].concat(value).map((v) => [name, String(v)]));
  return { target: signed.path, headers: lines.filter(([name]) => name.toLowerCase() !== "host") };
}

for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    answer = sign(JSON.parse(line));
  } catch (e) {
    answer = { error: String(e) };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
