// Tests in a browser: each gets a page of its own, which must keep quiet and stay at home.
import assert from 'node:assert/strict';

const WAIT_MS = 20_000;

/** Counts what passed and failed; goes on after a failure. */
export class Run {
  passed = 0;
  failed = 0;

  constructor(browser) {
    this.browser = browser;
  }

  /**
   * Opens a context on a base address and runs a test in it. The test fails as well when the page wrote an error to the
   * console, threw, or asked another host. quiet: false allows errors in the console, for tests of failures.
   */
  async test(name, base, settings, body) {
    const { quiet = true, only = process.argv[2], ...context } = settings;
    if (only !== undefined && !name.includes(only)) return;
    const made = await this.browser.newContext({ viewport: { width: 1280, height: 800 }, colorScheme: 'light', ...context });
    const page = await made.newPage();
    page.setDefaultTimeout(WAIT_MS);
    const heard = [];
    page.on('console', (m) => { if (m.type() === 'error' && quiet) heard.push(`console: ${m.text()}`); });
    page.on('pageerror', (e) => heard.push(`threw: ${e.message}`));
    page.on('request', (r) => {
      const url = r.url();
      if (!url.startsWith(base) && !url.startsWith('blob:') && !url.startsWith('data:')) heard.push(`asked another host: ${url}`);
    });
    const started = Date.now();
    try {
      await body(page, base);
      assert.deepEqual(heard, []);
      this.passed++;
      console.log(`ok    ${name} (${Date.now() - started} ms)`);
    } catch (error) {
      this.failed++;
      console.log(`FAIL  ${name}\n      ${String(error?.message ?? error).split('\n').slice(0, 12).join('\n      ')}`);
      await page.screenshot({ path: `/tmp/lamppost-e2e-${name.replace(/[^a-z0-9]+/gi, '-').slice(0, 60)}.png` }).catch(() => {});
    } finally {
      await made.close();
    }
  }
}

/** Polls until a check gives something true, and gives that. */
export async function until(what, check, ms = WAIT_MS) {
  const end = Date.now() + ms;
  for (;;) {
    const got = await check();
    if (got) return got;
    if (Date.now() > end) throw new Error(`not within ${ms} ms: ${what}`);
    await new Promise((r) => setTimeout(r, 100));
  }
}

/** The map is drawn in software here: that takes a while. */
export const mapDrawn = (page) => page.locator('.city-map-canvas[data-drawn=true]').waitFor({ timeout: 60_000 });

/** How far the page is wider than the window, in pixels. */
export const overflow = (page) => page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
