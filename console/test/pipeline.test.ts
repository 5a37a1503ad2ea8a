import { describe, expect, it } from 'vitest';
import { cellsOf, cellState, completeness } from '../src/sensor/Completeness.tsx';
import { newest } from '../src/sensor/Sensor.tsx';
import { difference, rejectedTotal } from '../src/pipeline/Ledger.tsx';
import { isBehind, isHeldUp } from '../src/pipeline/waiting.ts';
import { asText, decodeBase64, hexLines, layOut } from '../src/pipeline/payload.ts';
import { REASON_NAMES, reasonOf } from '../src/words/reasons.ts';
import { needsCare, sensorsFact, settingsFact, waitingFact, worstFirst } from '../src/pipeline/bridge.ts';
import type { Bridge, Reading } from '../src/api/types.ts';

describe('the ledger', () => {
  it('a sum that closes has no difference', () => {
    const sums = { rejected: { range: 2, unit: 1 } };
    expect(rejectedTotal(sums)).toBe(3);
    expect(difference({ title: '', value: 10 }, [{ title: '', value: 3 }, { title: '', value: 7 }])).toBe(0);
    expect(difference({ title: '', value: 10 }, [{ title: '', value: 3 }])).toBe(7);
  });

  it('completeness is that of reports, however many readings are in one', () => {
    expect(completeness({ reports: 3, expected: 4 })).toBe(0.75);
    expect(completeness({ reports: 0, expected: 4 })).toBe(0);
    expect(completeness({ reports: 0, expected: 0 })).toBeUndefined();
  });

  it('minutes are added into quarters of an hour that end now', () => {
    const now = Date.UTC(2026, 4, 4, 12, 7);
    const cells = cellsOf(
      [
        { time: '2026-05-04T12:00:00Z', accepted: 3 },
        { time: '2026-05-04T12:06:00Z', accepted: 3, missing: 1 },
        { time: '2026-05-04T11:59:00Z', missing: 4 },
        { time: '2026-05-04T11:30:00Z', accepted: 1, rejected: { range: 2 } },
        { time: '2026-05-01T00:00:00Z', accepted: 9 },
      ],
      now,
    );
    expect(cells).toHaveLength(96);
    expect(cells.slice(-3).map(cellState)).toEqual(['refused', 'gone', 'part']);
    expect(cells.at(-1)).toEqual({ start: Date.UTC(2026, 4, 4, 12), accepted: 6, missing: 1, rejected: 0 });
    expect(cells.reduce((sum, c) => sum + c.accepted, 0)).toBe(7);
  });
});

describe('what waits', () => {
  it.each([
    ['nothing waits, and the spool is empty', 0, 0, false, false],
    ['nothing waits, although the spool still holds what was written', 0, 2, false, false],
    ['what has just come is not held up', 40, 0.4, false, false],
    ['what waits for longer is', 40, 3, true, false],
    ['a store that does not keep up', 40_000, 90, true, true],
  ])('%s', (_, waiting, oldest_s, heldUp, behind) => {
    expect([isHeldUp({ waiting, spool: { oldest_s } }), isBehind({ waiting, spool: { oldest_s } })]).toEqual([heldUp, behind]);
  });
});

describe('a bridge', () => {
  const bridge = (more: Partial<Bridge> = {}): Bridge => ({
    publisher: 'b', title: 'B', state: 'online', version: '1', at: null, sensors: 3, failing: 0, settings: { source: 'file', id: '1' }, outbox: { waiting_readings: 4, oldest_s: 12, disk: 'fine' }, ...more,
  });

  it('that does well has nothing wrong', () => {
    const b = bridge();
    expect([sensorsFact(b), waitingFact(b), settingsFact(b)]).toEqual([
      { text: '3 sensors', wrong: false },
      { text: '4 readings wait, the oldest 12 s', wrong: false },
      { text: 'settings of its own file', wrong: false },
    ]);
    expect(needsCare(b)).toBe(false);
  });

  it.each<[string, Partial<Bridge>, string]>([
    ['a sensor fails', { failing: 1 }, '1 of 3 sensors failing'],
    ['it has none', { sensors: 0 }, 'no sensors'],
    ['readings are held up', { outbox: { waiting_readings: 1204, oldest_s: 7200, disk: 'fine' } }, '1,204 readings wait, the oldest 2 h'],
    ['its disk is full', { outbox: { waiting_readings: 0, oldest_s: 0, disk: 'read_only' } }, 'its disk is read only; nothing waits'],
    ['settings are refused', { settings: { source: 'file', id: '1', refused: { id: '2', error: 'version: is 2' } } }, 'newer settings refused: version: is 2'],
    ['it has no settings', { settings: { source: 'none', id: '' } }, 'no settings'],
  ])('is to be looked at where %s', (_, more, text) => {
    const b = bridge(more);
    const wrong = [sensorsFact(b), waitingFact(b), settingsFact(b)].filter((f) => f?.wrong === true);
    expect(wrong.map((f) => f?.text)).toEqual([text]);
    expect(needsCare(b)).toBe(true);
  });

  it('says nothing that it has never said', () => {
    const b: Bridge = { publisher: 'b', title: 'B', state: 'offline', version: '1', at: null, sensors: 0, failing: 0 };
    expect([waitingFact(b), settingsFact(b)]).toEqual([undefined, undefined]);
  });

  it('comes first where it is away, then where something is wrong', () => {
    const all = [bridge({ publisher: 'well-2' }), bridge({ publisher: 'well-1' }), bridge({ publisher: 'failing', failing: 1 }), bridge({ publisher: 'away', state: 'offline' })];
    expect(worstFirst(all).map((b) => b.publisher)).toEqual(['away', 'failing', 'well-1', 'well-2']);
  });
});

describe('a payload', () => {
  const bytes = (text: string): Uint8Array => decodeBase64(btoa(text));

  it('is text when it can be read', () => {
    expect(asText(bytes('{"no2":31}\n'))).toBe('{"no2":31}\n');
    expect(layOut('{"no2":31}')).toBe('{\n  "no2": 31\n}');
    expect(layOut('{"no2":')).toBe('{"no2":');
  });

  it('is bytes when it cannot', () => {
    expect(asText(bytes('\u008a\u00a3!jl'))).toBeUndefined();
    expect(asText(bytes('a\u0000b'))).toBeUndefined();
  });

  it('is laid out sixteen bytes a line', () => {
    const lines = hexLines(bytes('0123456789abcdef\u0001z'));
    expect(lines).toEqual([
      { offset: '000000', hex: '30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66', text: '0123456789abcdef' },
      { offset: '000010', hex: '01 7a', text: '·z' },
    ]);
    expect(hexLines(new Uint8Array())).toEqual([]);
  });
});

describe('reasons', () => {
  it('each says what to do', () => {
    for (const name of REASON_NAMES) {
      expect(reasonOf(name).title).not.toBe('');
      expect(reasonOf(name).todo).toMatch(/\.$/);
    }
  });

  it('one that is not known is shown by its name', () => {
    expect(reasonOf('bad_luck').title).toBe('bad luck');
  });
});

describe('the latest of a sensor', () => {
  const reading = (channel: string, time: string, value: number): Reading => ({ sensor: 's', quantity: 'q', channel, value, unit: '', time });

  it('a reading that comes late does not replace a newer one', () => {
    const kept = newest([reading('', '2026-05-04T10:00:10.000Z', 2)], [reading('', '2026-05-04T10:00:00.000Z', 1)]);
    expect(kept.map((r) => r.value)).toEqual([2]);
  });

  it('each channel has its own', () => {
    const kept = newest([reading('l10', '2026-05-04T10:00:00.000Z', 1)], [reading('l2', '2026-05-04T10:00:00.000Z', 2)]);
    expect(kept.map((r) => r.channel)).toEqual(['l2', 'l10']);
  });
});
