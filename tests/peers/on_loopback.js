// Preloaded into Bun (local-slack), which has no option for where to listen, and ends with the tests.
const serve = Bun.serve;
Bun.serve = (options) => serve({ hostname: "127.0.0.1", ...options });
process.stdin.on("end", () => process.exit(0));
process.stdin.resume();
