"use strict";

const http = require("node:http");

const QUOTES_URL = process.env.QUOTES_URL ?? "http://127.0.0.1:8001";

/** Answers `/healthz` itself and asks the quotes service for the rest. */
async function handle(request, response) {
  if (request.url === "/healthz") {
    return send(response, 200, "text/plain", "ok\n");
  }
  if (request.url !== "/") {
    return send(response, 404, "text/plain", "not found\n");
  }
  try {
    const answer = await fetch(`${QUOTES_URL}/quote`, { signal: AbortSignal.timeout(2000) });
    const quote = await answer.json();
    return send(response, 200, "text/html; charset=utf-8", page(quote));
  } catch {
    return send(response, 502, "text/plain", "the quotes service does not answer\n");
  }
}

function page({ text, author }) {
  return `<!doctype html><title>Quote</title><blockquote>${escape(text)}</blockquote><p>${escape(author)}</p>\n`;
}

function escape(text) {
  return String(text).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

function send(response, status, type, body) {
  response.writeHead(status, { "content-type": type });
  response.end(body);
}

const server = http.createServer(handle).listen(Number(process.env.PORT ?? 8000), () => {
  console.log(`listening on port ${server.address().port}`);
});
process.on("SIGTERM", () => server.close(() => process.exit(0)));
