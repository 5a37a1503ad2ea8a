// The page over a whole Lamppost: what an operator, a technician and a council would see.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { findings } from './axe.mjs';
import { mapDrawn, overflow, until } from './harness.mjs';

/** Pictures are for looking at; IMAGES=1 makes those of the README anew, but never of the mock. */
const IMAGES = fileURLToPath(new URL('../../build/images/', import.meta.url));
const README_IMAGES = fileURLToPath(new URL('../../docs/images/', import.meta.url));
const FIRST_PAINT_MS = 300;
const USABLE_MS = 1000;

/** A sensor that reports every few seconds, so that there is something to see; the one with the most quantities. */
async function talkative(target) {
  return until('a sensor that reports at least every 15 s', async () => {
    const response = await fetch(`${target.url}/api/v1/sensors?state=ok&limit=500`, { headers: target.token ? { Authorization: `Bearer ${target.token}` } : {} });
    const { items } = await response.json();
    const often = items.filter((s) => s.cadence_s > 0 && s.cadence_s <= 15 && Date.parse(s.last_seen) > Date.now() - 60_000);
    return often.sort((a, b) => b.quantities.length - a.quantities.length || a.id.localeCompare(b.id))[0];
  }, 90_000);
}

/** When the first visit of a browser sees something on a page, in ms. */
async function firstPaint(fresh) {
  return until('a first paint', () => fresh.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime));
}

/** A bare page of one line, on an idle machine, is painted within this. */
const BARE_MS = 100;

async function opensQuickly(page, base, settings) {
  // The first visit of a browser, warm server: the best of a few, because the machine may be busy with other things.
  // Where a bare page takes long, the machine is at work on something else, and the limits grow by as much.
  let best = { paint: Infinity, usable: Infinity };
  let bare = Infinity;
  const busy = () => Math.min(4, Math.max(1, bare / BARE_MS));
  const inTime = () => best.paint < FIRST_PAINT_MS * busy() && best.usable < USABLE_MS * busy();
  for (let i = 0; i < 6 && !inTime(); i++) {
    const first = () => page.context().browser().newContext({ viewport: { width: 1280, height: 800 }, ...settings });
    const other = await first();
    const empty = await other.newPage();
    await empty.goto(`${base}/theme.js`);
    bare = Math.min(bare, await firstPaint(empty));
    await other.close();
    const context = await first();
    const fresh = await context.newPage();
    await fresh.addInitScript(() => {
      new MutationObserver((_, watch) => {
        if (document.querySelector('.headline-number') === null || document.querySelector('.figure .number') === null) return;
        window.usableAt = performance.now();
        watch.disconnect();
      }).observe(document, { childList: true, subtree: true });
    });
    await fresh.goto(base, { waitUntil: 'commit' });
    const usable = await until('the headline and the figures', () => fresh.evaluate(() => window.usableAt));
    const paint = await firstPaint(fresh);
    if (usable < best.usable) best = { paint, usable };
    await context.close();
  }
  console.log(`      first paint ${Math.round(best.paint)} ms, usable ${Math.round(best.usable)} ms; a bare page ${Math.round(bare)} ms`);
  assert.ok(inTime(), `painted after ${Math.round(best.paint)} ms, usable after ${Math.round(best.usable)} ms, while a bare page took ${Math.round(bare)} ms`);
}

async function wallIsAlive(page, base) {
  await page.goto(base);
  await page.locator('.connection.live').waitFor();
  const numbers = await until('figures with numbers', async () => {
    const texts = await page.locator('.figure .number').allTextContents();
    return texts.length >= 3 && texts.every((t) => /\d/.test(t)) && texts;
  }, 60_000);
  assert.ok(numbers.length >= 3);
  assert.match(await page.locator('.headline h1').textContent(), /\d+ of \d+ sensors are reporting/);
  await until('readings a second', async () => /[1-9]/.test(await page.locator('.strip-cell .number').first().textContent()));
  await mapDrawn(page);
  assert.equal(await page.locator('.city-map canvas').count(), 1);
}

async function chartGrows(page, base, sensor) {
  await page.goto(`${base}/sensors/${sensor.id}`);
  // What the device tells of itself comes after what it measures, which is what grows.
  const chart = page.locator('.chart').first();
  await chart.waitFor();
  const last = async () => Number(await chart.getAttribute('data-last'));
  const before = await until('a first point', last);
  await until('a newer point without a reload', async () => (await last()) > before, 45_000);
  await page.getByRole('button', { name: 'Show as a table' }).first().click();
  assert.ok((await page.locator('.table-scroll tbody tr').count()) > 0);
  await page.getByRole('radio', { name: '24 h' }).check();
  await until('the range in the address', () => page.url().includes('range=24h'));
}

/** Tab by tab through the top of the page, then by keyboard alone to a sensor and to the pipeline. */
async function keyboardWalk(page, base, sensor) {
  await page.goto(base);
  await page.locator('.headline-number').waitFor();
  const focused = () => page.evaluate(() => {
    const e = document.activeElement;
    const style = getComputedStyle(e);
    return { text: (e.getAttribute('aria-label') ?? e.textContent ?? '').trim(), shown: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0 };
  });
  const walked = [];
  for (let i = 0; i < 5; i++) {
    await page.keyboard.press('Tab');
    const f = await focused();
    assert.ok(f.shown, `focus cannot be seen on ${f.text}`);
    walked.push(f.text);
  }
  assert.match(walked[0], /^Skip/);
  assert.deepEqual(walked.slice(2), ['Overview', 'Sensors', 'Pipeline']);
  await page.keyboard.press('Shift+Tab');
  await page.keyboard.press('Enter');
  await until('the heading of the list has the focus', () => page.evaluate(() => document.activeElement?.tagName === 'H1' && document.activeElement.textContent === 'Sensors'));
  for (let i = 0; i < 10 && !(await page.evaluate(() => document.activeElement?.matches('input[type=search]'))); i++) await page.keyboard.press('Tab');
  await page.keyboard.type(sensor.id);
  await until('one sensor found', async () => (await page.locator('.sensor-row').count()) >= 1 && page.url().includes('q='));
  for (let i = 0; i < 12 && !(await page.evaluate(() => document.activeElement?.closest('.sensor-row') !== null)); i++) await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await until('the page of the sensor', () => page.url().endsWith(`/sensors/${sensor.id}`));
  await page.goBack();
  await until('the list again, with what was searched', () => page.url().includes(`q=${sensor.id}`));
}

async function mapHasAList(page, base) {
  await page.goto(base);
  await page.getByRole('radio', { name: 'List' }).check();
  const first = page.locator('.site-row').first();
  await first.focus();
  await page.keyboard.press('Enter');
  await page.locator('.site-card-list a').first().waitFor();
}

async function takeImages(run, target, sensor) {
  const folder = process.env.IMAGES === '1' && target.mock !== true ? README_IMAGES : IMAGES;
  mkdirSync(folder, { recursive: true });
  const shots = [
    { name: 'overview-light', at: '/', viewport: { width: 1600, height: 900 }, map: true },
    { name: 'overview-dark', at: '/', viewport: { width: 1600, height: 900 }, colorScheme: 'dark', map: true },
    { name: 'sensor', at: `/sensors/${sensor.id}`, viewport: { width: 1440, height: 1000 } },
    { name: 'pipeline', at: '/pipeline', viewport: { width: 1440, height: 1000 } },
    { name: 'phone', at: '/', viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true },
  ];
  for (const { name, at, map, ...context } of shots) {
    await run.test(`image ${name}.png`, target.url, { ...context, ...target.context }, async (page, base) => {
      await page.goto(base + at);
      await page.locator('.connection.live').waitFor();
      if (map) await mapDrawn(page);
      await page.locator('.number').first().waitFor();
      // Trends are asked for after the first picture, and a few readings make it lively.
      await page.waitForTimeout(4000);
      await page.screenshot({ path: path.join(folder, `${name}.png`) });
    });
  }
}

/** Every page, as the tests go through them. */
export const pagesOf = (sensor) => ({ overview: '/', sensors: '/sensors', sensor: `/sensors/${sensor.id}`, pipeline: '/pipeline' });

export async function whole(run, target) {
  const sensor = await talkative(target);
  const settings = target.context ?? {};
  await run.test('the page opens in time', target.url, settings, (page, base) => opensQuickly(page, base, settings));
  await run.test('the wall is alive', target.url, settings, wallIsAlive);
  await run.test('the chart of a sensor grows live', target.url, settings, (page, base) => chartGrows(page, base, sensor));
  await run.test('the keyboard reaches everything', target.url, settings, (page, base) => keyboardWalk(page, base, sensor));
  await run.test('the map has a list that says the same', target.url, settings, mapHasAList);
  for (const [name, at] of Object.entries(pagesOf(sensor))) {
    for (const colorScheme of ['light', 'dark']) {
      await run.test(`axe finds nothing serious on ${name}, ${colorScheme}`, target.url, { ...settings, colorScheme, reducedMotion: 'reduce' }, async (page, base) => {
        await page.goto(base + at);
        await page.locator('main h1').waitFor();
        await page.locator('.connection.live').waitFor();
        if (name === 'overview') await mapDrawn(page);
        if (name === 'sensor') await page.locator('.chart').first().waitFor();
        await until('all answers', async () => (await page.locator('.waiting').count()) === 0, 30_000);
        assert.deepEqual(await findings(page), []);
      });
    }
    for (const viewport of [{ width: 320, height: 640 }, { width: 390, height: 844 }, { width: 1920, height: 1080 }, { width: 3840, height: 2160 }]) {
      await run.test(`no sideways scrolling on ${name} at ${viewport.width}`, target.url, { ...settings, viewport }, async (page, base) => {
        await page.goto(base + at);
        await page.locator('main h1').waitFor();
        await until('all answers', async () => (await page.locator('.waiting').count()) === 0, 60_000);
        assert.ok((await overflow(page)) <= 0, `${await overflow(page)} px too wide`);
      });
    }
  }
  await takeImages(run, target, sensor);
}
