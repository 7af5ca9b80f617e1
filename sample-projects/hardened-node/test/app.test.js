"use strict";

const assert = require("node:assert/strict");
const { after, before, test } = require("node:test");
const { createApp } = require("../src/app");

let server;
let base;

before(async () => {
  server = createApp(new Map([["known", "https://example.org/"]])).listen(0);
  await new Promise((resolve) => server.once("listening", resolve));
  base = `http://127.0.0.1:${server.address().port}`;
});

after(() => server.close());

function shorten(url) {
  return fetch(`${base}/links`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ url }) });
}

test("health is reported", async () => {
  const response = await fetch(`${base}/healthz`);
  assert.equal((await response.json()).status, "ok");
});

test("a known code redirects", async () => {
  const response = await fetch(`${base}/known`, { redirect: "manual" });
  assert.equal(response.status, 302);
  assert.equal(response.headers.get("location"), "https://example.org/");
});

test("a shortened link leads where it should", async () => {
  const created = await shorten("https://example.org/a?b=c");
  assert.equal(created.status, 201);
  const { code } = await created.json();
  const response = await fetch(`${base}/${code}`, { redirect: "manual" });
  assert.equal(response.headers.get("location"), "https://example.org/a?b=c");
});

for (const url of ["javascript:alert(1)", "not a url", undefined]) {
  test(`${url} is refused`, async () => {
    assert.equal((await shorten(url)).status, 400);
  });
}

test("an unknown code is not found", async () => {
  assert.equal((await fetch(`${base}/unknown`)).status, 404);
});
