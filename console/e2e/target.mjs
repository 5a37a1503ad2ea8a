// What the tests look at: a Lamppost that runs already (LAMPPOST_URL), the binary of this repository, or the mock.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { createMock, TOKEN } from '../dev/mock/server.mjs';

/** E2E_BINARY names another one. */
const BINARY = process.env.E2E_BINARY ?? fileURLToPath(new URL('../../bin/lamppost', import.meta.url));
const READY_MS = 90_000;

function freePort() {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** Waits until the address answers 200, or says why not after READY_MS. */
async function ready(url, failed) {
  const end = Date.now() + READY_MS;
  for (;;) {
    try {
      const response = await fetch(url);
      if (response.ok) return;
    } catch {
      // Nothing listens there yet.
    }
    const why = failed();
    if (why !== undefined) throw new Error(why);
    if (Date.now() > end) throw new Error(`${url} was not ready after ${READY_MS / 1000} s`);
    await new Promise((r) => setTimeout(r, 250));
  }
}

async function startBinary() {
  const data = mkdtempSync(path.join(os.tmpdir(), 'lamppost-e2e-'));
  const [http, mqtt, metrics] = await Promise.all([freePort(), freePort(), freePort()]);
  const args = ['up', '--demo', '120', '--data', data, '--http', `127.0.0.1:${http}`, '--mqtt', `127.0.0.1:${mqtt}`, '--metrics', `127.0.0.1:${metrics}`];
  // Its configuration is the flags alone: what this environment sets is for another Lamppost.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('LAMPPOST_')));
  const child = spawn(BINARY, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  let ended;
  const keep = (piece) => { said = (said + piece).slice(-4000); };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  const exit = new Promise((resolve) => child.once('exit', (code) => { ended = `lamppost up ended with ${code}:\n${said}`; resolve(); }));
  const stop = async () => {
    child.kill('SIGTERM');
    const forced = setTimeout(() => child.kill('SIGKILL'), 15_000);
    await exit;
    clearTimeout(forced);
    rmSync(data, { recursive: true, force: true });
  };
  try {
    await ready(`http://127.0.0.1:${http}/readyz`, () => ended);
  } catch (error) {
    await stop();
    throw error;
  }
  return { name: 'bin/lamppost', url: `http://127.0.0.1:${http}`, token: readFileSync(path.join(data, 'api-token'), 'utf8').trim(), stop };
}

/** The target: its address, the token where it is known, and what stops it. */
export async function findTarget() {
  const url = process.env.LAMPPOST_URL;
  if (url !== undefined && url !== '') {
    const file = process.env.LAMPPOST_TOKEN_FILE;
    return { name: url, url: url.replace(/\/$/, ''), token: file ? readFileSync(file, 'utf8').trim() : undefined, stop: async () => {} };
  }
  if (existsSync(BINARY) && process.env.E2E_MOCK !== '1') return startBinary();
  const mock = createMock();
  return { name: 'the mock', mock: true, url: await mock.listen(), token: TOKEN, stop: mock.close };
}
