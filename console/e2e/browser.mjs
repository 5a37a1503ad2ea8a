// A real Chromium, kept from asking any other host for anything.
import { existsSync } from 'node:fs';
import path from 'node:path';
import { chromium } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/** The browser of this machine, the first on the PATH: CHROMIUM names another one. */
export function browserPath() {
  const folders = (process.env.PATH ?? '').split(path.delimiter).filter((f) => f !== '');
  const places = NAMES.flatMap((name) => folders.map((folder) => path.join(folder, name)));
  const found = [process.env.CHROMIUM, ...places].find((p) => p !== undefined && existsSync(p));
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
