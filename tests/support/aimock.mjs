// The npm package @copilotkit/aimock as a second opinion on the wire formats; its address is the first line printed.
import { LLMock } from "@copilotkit/aimock";
import { readFileSync } from "node:fs";

const manners = JSON.parse(readFileSync(process.argv[2], "utf8"));
const mock = new LLMock({ port: 0 });
for (const [word, answer] of Object.entries(manners)) mock.onMessage(new RegExp(`manner-${word}\\b`), answer);
await mock.start();
console.log(mock.url);
