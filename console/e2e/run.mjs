// npm run e2e [part of a test's name]: the built page in a real Chromium.
import { launch } from './browser.mjs';
import { Run } from './harness.mjs';
import { states } from './states.mjs';
import { findTarget } from './target.mjs';
import { whole } from './whole.mjs';

const target = await findTarget();
console.log(`the page of ${target.name}`);
const browser = await launch();
const run = new Run(browser);
try {
  // Off loopback every request shows the token; a person would sign in, which the states below test.
  const header = target.token === undefined ? {} : { extraHTTPHeaders: { Authorization: `Bearer ${target.token}` } };
  if (target.url.startsWith('https:')) target.context = { ignoreHTTPSErrors: true, ...header };
  await whole(run, target);
  await states(run);
} finally {
  await browser.close();
  await target.stop();
}
console.log(`${run.passed} passed, ${run.failed} failed`);
process.exitCode = run.failed > 0 ? 1 : 0;
