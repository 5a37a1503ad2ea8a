import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

const css = readFileSync(path.resolve(import.meta.dirname, '../src/styles/tokens.css'), 'utf8');

/** The colours of a block of tokens.css, by name. */
function block(start: string): Map<string, string> {
  const from = css.indexOf(start);
  const text = css.slice(css.indexOf('{', from), css.indexOf('}', from));
  return new Map([...text.matchAll(/--([\w-]+): (#[0-9a-f]{6})/g)].map((m) => [m[1] ?? '', m[2] ?? '']));
}

function luminance(hex: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((i) => {
    const c = Number.parseInt(hex.slice(i, i + 2), 16) / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** WCAG 2.2, contrast ratio. */
function contrast(a: string, b: string): number {
  const [high = 0, low = 0] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (high + 0.05) / (low + 0.05);
}

describe.each([
  ['light', block(':root {')],
  ['dark', block(":root[data-theme='dark']")],
])('%s', (_, colours) => {
  const c = (name: string): string => colours.get(name) ?? '#000000';

  it('text can be read: 4.5 to 1', () => {
    for (const ground of ['page', 'sheet', 'sunk']) {
      for (const text of ['ink', 'ink-2', 'ink-3', 'silent', 'ok', 'never']) expect(contrast(c(text), c(ground)), `${text} on ${ground}`).toBeGreaterThanOrEqual(4.5);
    }
    expect(contrast(c('on-lamp'), c('lamp'))).toBeGreaterThanOrEqual(4.5);
    expect(contrast(c('silent'), c('silent-soft')), 'silent on its soft ground').toBeGreaterThanOrEqual(4.5);
    expect(contrast(c('sheet'), c('silent')), 'on silent').toBeGreaterThanOrEqual(4.5);
    expect(contrast(c('map-label'), c('map-town')), 'names on the map').toBeGreaterThanOrEqual(4.5);
  });

  it('marks and lines can be told from their ground: 3 to 1', () => {
    for (const ground of ['map-town', 'map-land', 'map-street', 'map-park', 'map-water', 'map-halo']) {
      for (const mark of ['ok', 'silent']) expect(contrast(c(mark), c(ground)), `${mark} on ${ground}`).toBeGreaterThanOrEqual(3);
    }
    for (let i = 1; i <= 6; i++) expect(contrast(c(`line-${i}`), c('sheet')), `line ${i}`).toBeGreaterThanOrEqual(3);
  });
});

it('the two ways to say dark are the same colours', () => {
  expect(block(':root:not([data-theme=')).toEqual(block(":root[data-theme='dark']"));
});
