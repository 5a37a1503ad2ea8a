// What the page weighs, and what may not be in it. The page is built here as npm run build does, into memory.
// @vitest-environment node
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { build, type Rolldown } from 'vite';
import { beforeAll, describe, expect, it, vi } from 'vitest';

const LIMITS_KB = { first: 120, map: 330, chart: 30, style: 10 };

let files: Rolldown.RolldownOutput['output'];

beforeAll(async () => {
  // The tests' own environment would give React's development build.
  vi.stubEnv('NODE_ENV', 'production');
  const made = await build({ root: path.resolve(import.meta.dirname, '..'), logLevel: 'silent', build: { write: false } });
  if (Array.isArray(made) || !('output' in made)) throw new Error('the build gave something else than one bundle');
  files = made.output;
}, 60_000);

const chunks = (): Rolldown.OutputChunk[] => files.filter((f) => f.type === 'chunk');
const kb = (text: string | Uint8Array): number => gzipSync(text, { level: 9 }).length / 1024;

/** A chunk and all that it loads with itself. */
function withImports(name: string, seen = new Set<string>()): Set<string> {
  if (seen.has(name)) return seen;
  seen.add(name);
  for (const next of chunks().find((c) => c.fileName === name)?.imports ?? []) withImports(next, seen);
  return seen;
}

const weight = (names: Iterable<string>): number => [...names].reduce((sum, n) => sum + kb(chunks().find((c) => c.fileName === n)?.code ?? ''), 0);

describe('the bundle', () => {
  it('what is loaded first is small, and has neither map nor chart in it', () => {
    const entry = chunks().find((c) => c.isEntry);
    const first = withImports(entry?.fileName ?? '');
    expect(weight(first)).toBeLessThan(LIMITS_KB.first);
    const modules = chunks().filter((c) => first.has(c.fileName)).flatMap((c) => Object.keys(c.modules));
    expect(modules.filter((m) => /maplibre|uplot/i.test(m))).toEqual([]);
  });

  it.each([
    ['CityMap', LIMITS_KB.map],
    ['Chart', LIMITS_KB.chart],
  ])('%s comes by itself, and is not heavier than it was', (name, limit) => {
    const chunk = chunks().find((c) => c.isDynamicEntry && c.name === name);
    expect(kb(chunk?.code ?? '')).toBeGreaterThan(1);
    expect(kb(chunk?.code ?? '')).toBeLessThan(limit);
  });

  it('the first style is small', () => {
    const style = files.find((f) => f.type === 'asset' && /index-.*\.css$/.test(f.fileName));
    expect(kb(style?.type === 'asset' ? style.source : '')).toBeLessThan(LIMITS_KB.style);
  });

  it('nothing in it needs an exception from the policy, or another host', () => {
    const html = files.find((f) => f.fileName === 'index.html');
    const page = String(html?.type === 'asset' ? html.source : '');
    expect(page).toContain('<script type="module"');
    expect(page).not.toMatch(/<script(?![^>]*\ssrc=)[^>]*>/);
    expect(page).not.toMatch(/\son\w+=|style=|https?:/);
    for (const f of files) {
      if (f.type === 'asset' && f.fileName.endsWith('.css')) expect(String(f.source), f.fileName).not.toMatch(/@import|url\(\s*['"]?(https?:)?\/\//);
    }
  });

  it('the worker of the map is a file of this host', () => {
    expect(files.some((f) => /assets\/maplibre-gl-worker-.*\.mjs$/.test(f.fileName))).toBe(true);
  });
});
