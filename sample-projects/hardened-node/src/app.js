"use strict";

const { randomBytes } = require("node:crypto");
const express = require("express");

/** Makes the application; `links` maps codes to targets and can be handed in by a test. */
function createApp(links = new Map()) {
  const app = express();
  app.disable("x-powered-by");
  app.use(express.json({ limit: "4kb" }));

  app.get("/healthz", (request, response) => response.json({ status: "ok", links: links.size }));

  app.post("/links", (request, response) => {
    const target = parseTarget(request.body?.url);
    if (target === null) {
      return response.status(400).json({ error: "url must be an absolute http or https URL" });
    }
    const code = randomBytes(6).toString("base64url");
    links.set(code, target);
    return response.status(201).location(`/${code}`).json({ code, url: target });
  });

  app.get("/:code", (request, response) => {
    const target = links.get(request.params.code);
    if (target === undefined) {
      return response.status(404).json({ error: "no such link" });
    }
    return response.redirect(302, target);
  });

  return app;
}

function parseTarget(text) {
  try {
    const url = new URL(text);
    return ["http:", "https:"].includes(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

module.exports = { createApp };
