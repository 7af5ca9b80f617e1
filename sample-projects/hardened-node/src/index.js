"use strict";

const { createApp } = require("./app");

const server = createApp().listen(Number(process.env.PORT ?? 3000), () => {
  console.log(`listening on port ${server.address().port}`);
});

// As process 1 nothing stops us unless we do it: the kernel ignores signals without a handler.
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, () => server.close(() => process.exit(0)));
}
