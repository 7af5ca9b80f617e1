const express = require("express");

const app = express();
const links = new Map();

app.use(express.json());

app.get("/healthz", (request, response) => response.json({ status: "ok", links: links.size }));

app.post("/links", (request, response) => {
  let target;
  try {
    target = new URL(request.body.url);
  } catch {
    return response.status(400).json({ error: "url must be an absolute URL" });
  }
  if (!["http:", "https:"].includes(target.protocol)) {
    return response.status(400).json({ error: "url must be http or https" });
  }
  const code = Math.random().toString(36).slice(2, 8);
  links.set(code, target.href);
  response.status(201).json({ code, url: target.href });
});

app.get("/:code", (request, response) => {
  const target = links.get(request.params.code);
  if (target === undefined) {
    return response.status(404).json({ error: "no such link" });
  }
  response.redirect(302, target);
});

const server = app.listen(process.env.PORT || 3000, () => {
  console.log(`listening on port ${server.address().port}`);
});
