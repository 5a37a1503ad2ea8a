// States that a whole city seldom has, over the mock: gone, empty, failing, closed, very large.
import assert from 'node:assert/strict';
import { createMock, TOKEN } from '../dev/mock/server.mjs';
import { findings } from './axe.mjs';
import { mapDrawn, overflow, until } from './harness.mjs';

/** Runs a test over a mock of its own. */
async function over(run, name, options, settings, body) {
  const mock = createMock(options);
  const base = await mock.listen();
  try {
    await run.test(name, base, settings, (page) => body(page, base, mock));
  } finally {
    await mock.close();
  }
}

const loud = { quiet: false };

async function says(page, ...texts) {
  for (const text of texts) await page.getByText(text).first().waitFor();
}

async function gone(page, base, mock) {
  await page.goto(base);
  await page.locator('.connection.live').waitFor();
  await page.locator('.figure').first().waitFor();
  mock.fail('/api/', 0);
  mock.dropLive();
  await says(page, /^Reconnecting since \d\d:\d\d$/);
  await until('the figures fade and say from when they are', async () => (await page.locator('.figure.aged .aged-from').count()) > 0, 40_000);
  mock.mend();
  await page.locator('.connection.live').waitFor({ timeout: 40_000 });
  await until('the figures are fresh again', async () => (await page.locator('.figure.aged').count()) === 0, 40_000);
}

async function quietStreamComesBack(page, base, mock) {
  const sensor = mock.sensors.find((s) => s.silentFor === 0 && s.cadence_s === 10);
  await page.goto(`${base}/sensors/${sensor.id}`);
  const chart = page.locator('.chart').first();
  await chart.waitFor();
  mock.dropLive();
  const before = Number(await chart.getAttribute('data-last'));
  await until('points after the stream broke', async () => Number(await chart.getAttribute('data-last')) > before, 40_000);
}

async function empty(page, base) {
  await page.goto(base);
  await says(page, 'No sensors yet', 'Register the first sensor', 'No figures yet');
  await page.goto(`${base}/sensors`);
  await says(page, 'Register the first sensor');
  await page.goto(`${base}/pipeline`);
  await says(page, 'Quarantine is empty', 'Nothing was refused', 'No edge bridges yet', 'lamppost-bridge init');
  assert.deepEqual(await findings(page), []);
}

async function failing(page, base, mock) {
  mock.fail('/api/v1/figures', 503);
  mock.fail('/api/v1/ledger', 500);
  await page.goto(base);
  await says(page, 'The store does not answer; lamppost keeps trying', /Look at the Pipeline page/);
  assert.deepEqual(await findings(page), []);
  // The rest of the page goes on.
  await says(page, 'Needs attention');
  await page.goto(`${base}/pipeline`);
  await says(page, 'Ledger', 'Quarantine');
}

async function unknownSensor(page, base) {
  await page.goto(`${base}/sensors/not-there`);
  await says(page, 'No such sensor is registered');
  await page.goto(`${base}/sensors?q=zzz`);
  await says(page, 'No sensor fits');
  await page.getByRole('button', { name: 'Show every sensor' }).click();
  await page.locator('.sensor-row').first().waitFor();
  assert.equal(await page.locator('input[type=search]').inputValue(), '');
  await page.goto(`${base}/nowhere`);
  await says(page, 'There is no such page');
}

async function closed(page, base) {
  await page.goto(base);
  await page.getByLabel('Token').fill('guess');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await says(page, /That is not the token/);
  assert.deepEqual(await findings(page), []);
  await page.getByLabel('Token').fill(TOKEN);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.locator('.headline-number').waitFor();
  await page.locator('.connection.live').waitFor();
  const cookies = await page.context().cookies();
  assert.ok(cookies.some((c) => c.httpOnly), 'the session is no HttpOnly cookie');
}

async function replay(page, base) {
  await page.goto(`${base}/pipeline?reason=unregistered`);
  const row = page.locator('.quarantine-row').first();
  await row.getByRole('button', { name: 'Payload' }).click();
  assert.match(await row.locator('pre').textContent(), /"no2": 31.2/);
  await row.getByRole('radio', { name: 'Hex' }).check();
  assert.match(await row.locator('pre').textContent(), /^000000\s*7b 22/);
  await page.getByRole('button', { name: /^Replay \d+ of this reason/ }).click();
  const dialog = page.getByRole('dialog');
  await dialog.waitFor();
  assert.deepEqual(await findings(page), []);
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  await page.getByRole('button', { name: /^Replay \d+ of this reason/ }).click();
  await page.getByLabel('Token').fill(TOKEN);
  await page.keyboard.press('Enter');
  await says(page, /\d+ messages accepted now, 0 still refused/);
  await says(page, 'Nothing is held for this reason');
  await page.getByRole('button', { name: 'Compare now' }).click();
  await says(page, /They agree/);
}

async function storeAway(page, base) {
  await page.goto(base);
  await says(page, 'store is not ready');
  await page.goto(`${base}/pipeline`);
  await says(page, /store not ready; what comes is kept on disk/);
  assert.deepEqual(await findings(page), []);
}

async function bridges(page, base) {
  await page.goto(`${base}/pipeline`);
  const rows = page.locator('.bridge-row');
  await rows.first().waitFor();
  assert.equal(await rows.count(), 5);
  assert.match(await rows.first().textContent(), /Bridge Street cabinet.*offline, heard/);
  assert.match(await rows.last().textContent(), /Quay cabinet.*online.*14 sensors.*12 readings wait/);
  await says(page, '4 need attention', '2 of 14 sensors failing', /newer settings refused: sensors\[2\]/, '18,204 readings wait, the oldest 1 h 35 min');
  assert.deepEqual(await findings(page), []);
}

async function large(page, base) {
  await page.goto(base);
  await says(page, /of 10,000 sensors are reporting/);
  await mapDrawn(page);
  await page.getByRole('radio', { name: 'List' }).check();
  await page.locator('.site-row').first().waitFor();
  assert.ok((await page.locator('.site-row').count()) <= 50, 'the list of sites is not paged');
  await page.goto(`${base}/sensors`);
  await page.locator('.sensor-row').first().waitFor();
  assert.ok((await page.locator('.sensor-row').count()) <= 50, 'the list of sensors is not paged');
  await page.getByRole('button', { name: 'Next' }).click();
  await says(page, '51 to 100 of 10,000');
}

async function withoutWebGL(page, base) {
  await page.addInitScript(() => {
    const original = HTMLCanvasElement.prototype.getContext;
    HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
      return kind.startsWith('webgl') ? null : original.call(this, kind, ...rest);
    };
  });
  await page.goto(base);
  await says(page, 'This device cannot draw the map; the list says the same.');
  await page.locator('.site-row').first().waitFor();
  assert.equal(await page.locator('.city-map').count(), 0);
}

async function silenceIsSeen(page, base, mock) {
  await page.goto(base);
  await page.locator('.attention-row').first().waitFor();
  const sensor = mock.sensors.find((s) => s.silentFor === 0);
  mock.silence(sensor.id);
  await page.getByRole('link', { name: new RegExp(sensor.title) }).waitFor();
  await until('the title says it', async () => /\(\d+ silent\)/.test(await page.title()));
}

async function themeIsKept(page, base) {
  await page.goto(base);
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await ground();
  await page.getByRole('button', { name: /^Colours/ }).click();
  await page.getByRole('button', { name: /Change to dark/ }).click();
  await until('a dark ground', async () => (await ground()) !== light);
  await page.reload();
  assert.notEqual(await ground(), light);
}

export async function states(run) {
  await over(run, 'a connection that is gone is said, and numbers fade', {}, loud, gone);
  await over(run, 'a broken stream is opened again', {}, loud, quietStreamComesBack);
  await over(run, 'an empty city says what to do next', { sensors: 0 }, loud, empty);
  await over(run, 'a failing answer says what to do', {}, loud, failing);
  await over(run, 'what is not there is said, and leads on', {}, loud, unknownSensor);
  await over(run, 'a closed Lamppost asks for its token', { guarded: true }, loud, closed);
  await over(run, 'payloads are shown and replayed with the token', {}, loud, replay);
  await over(run, 'a store that is away is seen', { storeAway: true }, {}, storeAway);
  await over(run, 'bridges are listed, worst first', {}, loud, bridges);
  await over(run, 'ten thousand sensors', { sensors: 10_000 }, {}, large);
  await over(run, 'a device without WebGL gets the list', {}, {}, withoutWebGL);
  await over(run, 'a sensor that falls silent is seen', {}, {}, silenceIsSeen);
  await over(run, 'the chosen colours are kept', {}, {}, themeIsKept);
  await over(run, 'a city without name, zone and plan', { noCity: true, noPlan: true }, loud, async (page, base) => {
    await page.goto(base);
    await says(page, /No street plan yet/);
    assert.ok((await overflow(page)) <= 0);
  });
}
