// Starts emulate's Slack, or another of its services, from a seed on the first line of standard input, on loopback only, and says where.
import http from "node:http";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { createEmulator } from "emulate";

const listen = http.Server.prototype.listen;
http.Server.prototype.listen = function (port, _host, ...rest) {
  this.once("error", (error) => {
    console.error(String(error));
    process.exit(1);
  });
  this.once("listening", () => console.log(`emulate listens on ${this.address().port}`));
  return listen.call(this, port, "127.0.0.1", ...rest);
};

// Slack takes arguments from the query as from the body and answers every method to GET; Python's SDK uses
// both (`conversations.history` is a GET, `conversations.invite` a POST with a query). emulate reads bodies.
const emit = http.Server.prototype.emit;
http.Server.prototype.emit = function (event, request, ...rest) {
  if (event !== "request" || !asksByQuery(request)) return emit.call(this, event, request, ...rest);
  // The SDK writes true as 1.
  const query = (request.url.split("?")[1] ?? "").replace(/\b((?:is|exclude)_\w+)=1(?=&|$)/g, "$1=true");
  const asked = Object.assign(Readable.from([Buffer.from(query)]), {
    method: "POST",
    url: request.url,
    headers: {
      ...request.headers,
      "content-type": "application/x-www-form-urlencoded",
      "content-length": String(Buffer.byteLength(query)),
    },
  });
  return emit.call(this, event, asked, ...rest);
};

function asksByQuery({ method, url, headers }) {
  if (!url.startsWith("/api/")) return false;
  return method === "GET" || (url.includes("?") && Number(headers["content-length"] ?? 0) === 0);
}

const lines = createInterface({ input: process.stdin });
lines.once("line", async (line) => {
  const { port, seed, service = "slack" } = JSON.parse(line);
  await createEmulator({ service, port, seed, baseUrl: `http://127.0.0.1:${port}` });
});
// The pipe ends with the tests, however they end.
lines.on("close", () => process.exit(0));
