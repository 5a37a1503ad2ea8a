// A real Chromium, kept from asking any other host for anything.
import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome', '/usr/bin/google-chrome-stable'];

/** The browser of this machine: CHROMIUM names another one. */
export function browserPath() {
  const found = [process.env.CHROMIUM, ...PLACES].find((p) => p !== undefined && existsSync(p));
  if (found === undefined) throw new Error('no Chromium found: install it (apt-get install chromium), or name it in CHROMIUM');
  return found;
}

/** Starts the browser. The map is drawn in software, so that it is the same on every machine. */
export const launch = () =>
  chromium.launch({
    executablePath: browserPath(),
    headless: true,
    args: [
      '--no-sandbox',
      '--use-angle=swiftshader',
      '--enable-unsafe-swiftshader',
      '--ignore-gpu-blocklist',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--no-first-run',
      '--disable-quic',
      '--force-color-profile=srgb',
    ],
  });
