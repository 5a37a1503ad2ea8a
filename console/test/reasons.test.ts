import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { REASON_NAMES } from '../src/words/reasons.ts';

it('the page knows every reason for which ingest refuses', () => {
  const source = readFileSync(path.resolve(import.meta.dirname, '../../telemetry/reason.go'), 'utf8');
  const names = /reasonNames = [^{]*\{([^}]*)\}/.exec(source)?.[1]?.match(/[a-z_0-9]+/g) ?? [];
  expect(names.length).toBeGreaterThan(10);
  expect([...REASON_NAMES].sort()).toEqual(names.filter((n) => n !== 'none').sort());
});
