import { type DataFrame, dateTime, FieldType, type DataQueryRequest, type DataQueryResponse, LiveChannelEventType, type LiveChannelAddress, type LiveChannelEvent, LoadingState, toDataFrame } from '@grafana/data';
import { type Observable, Subject } from 'rxjs';
import { follow, type Live } from '../src/live';

const NOW = 1_800_000_000_000;
const meta = { custom: { live: { path: 'live/abc', data: { quantities: ['speed'], since_ms: NOW } } } };

function history(sensor: string, times: number[], values: number[], first = false): DataFrame {
  return toDataFrame({
    refId: 'A',
    name: 'speed',
    meta: first ? meta : undefined,
    fields: [
      { name: 'time', type: FieldType.time, values: times },
      { name: 'speed', type: FieldType.number, labels: { sensor, quantity: 'speed' }, config: { unit: 'velocitykmh', displayNameFromDS: sensor }, values },
    ],
  });
}

function request(minutes: number): DataQueryRequest {
  const from = dateTime(NOW - minutes * 60_000);
  const to = dateTime(NOW);
  return { requestId: 'Q1', timezone: 'utc', range: { from, to, raw: { from, to } }, targets: [] } as unknown as DataQueryRequest;
}

/** Grafana Live, of which the test is the server. */
class Channel implements Live {
  readonly addresses: LiveChannelAddress[] = [];
  private readonly events = new Subject<LiveChannelEvent<unknown>>();

  getStream<T>(address: LiveChannelAddress): Observable<LiveChannelEvent<T>> {
    this.addresses.push(address);
    return this.events as Observable<LiveChannelEvent<T>>;
  }

  /** Says that the stream is broken, or with 0 that it is back. */
  broken(since: number, text = '') {
    const fields = ['time', 'sensor', 'quantity', 'channel', 'value', 'text'].map((name) => ({ name, type: name === 'time' ? 'time' : name === 'value' ? 'number' : 'string' }));
    const message = { schema: { fields, meta: { custom: { stream: { since_ms: since, text } } } }, data: { values: fields.map(() => []) } };
    this.events.next({ type: LiveChannelEventType.Message, message });
  }

  say(...readings: [sensor: string, time: number, value: number, quantity?: string, channel?: string][]) {
    const columns = [readings.map((r) => r[1]), readings.map((r) => r[0]), readings.map((r) => r[3] ?? 'speed'), readings.map((r) => r[4] ?? ''), readings.map((r) => r[2]), readings.map(() => '')];
    const fields = ['time', 'sensor', 'quantity', 'channel', 'value', 'text'].map((name) => ({ name, type: name === 'time' ? 'time' : name === 'value' ? 'number' : 'string' }));
    this.events.next({ type: LiveChannelEventType.Message, message: { schema: { fields }, data: { values: columns } } });
  }
}

function started(frames: DataFrame[], minutes = 60) {
  const channel = new Channel();
  const answers: DataQueryResponse[] = [];
  const subscription = follow({ data: frames }, request(minutes), 'uid-1', channel).subscribe((a) => answers.push(a));
  const last = () => {
    jest.advanceTimersByTime(200);
    return answers[answers.length - 1]!;
  };
  const points = (frame: number) => {
    const [time, value] = (last().data as DataFrame[])[frame]!.fields;
    return time!.values.map((t: number, i: number) => [t - NOW, value!.values[i] as number]);
  };
  return { channel, answers, last, points, subscription };
}

beforeEach(() => {
  jest.useFakeTimers();
  jest.setSystemTime(NOW);
});
afterEach(() => {
  jest.useRealTimers();
});

describe('a history that goes on', () => {
  it('shows its past at once and subscribes to what the answer names', () => {
    const { answers, channel } = started([history('cam-1', [NOW - 2000], [1], true)]);
    expect(answers).toHaveLength(1);
    expect(answers[0]!.state).toBe(LoadingState.Streaming);
    expect(channel.addresses).toEqual([{ scope: 'ds', stream: 'uid-1', namespace: 'uid-1', path: 'live/abc', data: meta.custom.live.data }]);
  });
  it('puts each reading where its time says, whatever the order in which they come', () => {
    const { channel, points } = started([history('cam-1', [NOW - 3000, NOW - 1000], [1, 3], true)]);
    channel.say(['cam-1', NOW, 4], ['cam-1', NOW - 2000, 2]);
    expect(points(0)).toEqual([[-3000, 1], [-2000, 2], [-1000, 3], [0, 4]]);
  });
  it('shows a reading that comes again once', () => {
    const { channel, points } = started([history('cam-1', [NOW - 1000], [3], true)]);
    channel.say(['cam-1', NOW, 4]);
    channel.say(['cam-1', NOW - 1000, 3], ['cam-1', NOW, 4]);
    expect(points(0)).toEqual([[-1000, 3], [0, 4]]);
  });
  it('draws a line for a sensor that had no past, as its neighbours are drawn', () => {
    const { channel, last } = started([history('cam-1', [NOW], [1], true)]);
    channel.say(['cam-2', NOW, 9]);
    const frames = last().data as DataFrame[];
    expect(frames).toHaveLength(2);
    expect(frames[1]!.fields[1]!.config).toEqual({ unit: 'velocitykmh', displayNameFromDS: 'cam-2' });
    expect(frames[1]!.fields[1]!.labels).toEqual({ quantity: 'speed', sensor: 'cam-2' });
  });
  it('names a new line as the backend would: a number is no name of a channel', () => {
    const { channel, last } = started([history('cam-1', [NOW], [1], true)]);
    channel.say(['cam-2', NOW, 9, 'speed', '1'], ['cam-2', NOW, 9, 'speed', 'north']);
    expect((last().data as DataFrame[]).map((f) => f.fields[1]!.config.displayNameFromDS)).toEqual(['cam-1', 'cam-2 channel 1', 'cam-2 north']);
  });
  it('names a new line with what the names of its neighbours go on with', () => {
    const past = history('cam-1', [NOW], [1], true);
    past.fields[1]!.config.displayNameFromDS = 'cam-1, mean';
    const { channel, last } = started([past]);
    channel.say(['cam-2', NOW, 9, 'speed', '1']);
    expect((last().data as DataFrame[])[1]!.fields[1]!.config.displayNameFromDS).toBe('cam-2 channel 1, mean');
  });
  it('tells channels and sensors apart', () => {
    const { channel, last } = started([history('cam-1', [NOW], [1], true), history('cam-2', [NOW], [2])]);
    channel.say(['cam-2', NOW + 1, 3], ['cam-1', NOW + 1, 4, 'speed', 'lane-1']);
    const frames = last().data as DataFrame[];
    expect(frames.map((f) => f.length)).toEqual([1, 2, 1]);
  });
  it('forgets what the panel does not show any more', () => {
    const { channel, points } = started([history('cam-1', [NOW - 55_000, NOW - 10_000], [1, 2], true)], 1);
    jest.advanceTimersByTime(30_000);
    channel.say(['cam-1', NOW + 30_000, 3]);
    expect(points(0)).toEqual([[-10_000, 2], [30_000, 3]]);
  });
  it('does not draw more often than ten times a second', () => {
    const { channel, answers, last } = started([history('cam-1', [NOW], [1], true)]);
    for (let i = 1; i <= 100; i++) {
      channel.say(['cam-1', NOW + i, i]);
    }
    last();
    expect(answers).toHaveLength(2);
  });
  it('gives every drawing arrays of its own, so that panels see the change', () => {
    const { channel, answers, last } = started([history('cam-1', [NOW], [1], true)]);
    channel.say(['cam-1', NOW + 1, 2]);
    last();
    const [before, after] = answers.map((a) => (a.data as DataFrame[])[0]!.fields[1]!.values as number[]);
    expect(before).toEqual([1]);
    expect(after).toEqual([1, 2]);
  });
});

describe('a table that goes on', () => {
  const table = (fields: [string, unknown[]][]) => toDataFrame({ refId: 'A', meta: { ...meta, type: 'table' as never }, fields: fields.map(([name, values]) => ({ name, values, type: name === 'time' ? FieldType.time : FieldType.other })) });
  const column = (answer: DataQueryResponse, name: string) => (answer.data as DataFrame[])[0]!.fields.find((f) => f.name === name)!.values as unknown[];

  it('changes the cells of its sensors', () => {
    const { channel, last } = started([table([['sensor', ['cam-1', 'cam-2']], ['state', ['silent', 'ok']], ['time', [NOW - 9000, NOW]], ['age', [9, 0]], ['speed', [1, 2]], ['speed/lane-1', [3, null]]])]);
    channel.say(['cam-1', NOW, 5], ['cam-1', NOW, 6, 'speed', 'lane-1'], ['cam-9', NOW, 7]);
    const answer = last();
    expect(column(answer, 'speed')).toEqual([5, 2]);
    expect(column(answer, 'speed/lane-1')).toEqual([6, null]);
    expect(column(answer, 'state')).toEqual(['ok', 'ok']);
    expect(column(answer, 'time')).toEqual([NOW, NOW]);
    expect(column(answer, 'age')).toEqual([0.1, 0.1]);
  });
  it('changes the rows of its readings, and not by what is older', () => {
    const { channel, last } = started([table([['time', [NOW, NOW]], ['sensor', ['cam-1', 'cam-1']], ['quantity', ['speed', 'no2']], ['channel', ['', '']], ['value', [1, 2]]])]);
    channel.say(['cam-1', NOW + 5, 7, 'no2'], ['cam-1', NOW - 5, 9]);
    expect(column(last(), 'value')).toEqual([1, 7]);
  });
});

it('a panel whose stream is broken says so until it is back', () => {
  const { channel, last, points } = started([history('cam-1', [NOW], [1], true), history('cam-2', [NOW], [1])]);
  const notices = () => (last().data as DataFrame[]).map((f) => (f.meta?.notices ?? []).map((n) => `${n.severity}: ${n.text}`));
  expect(notices()).toEqual([[], []]);
  channel.broken(Date.UTC(2026, 2, 9, 13, 2, 10), 'Lamppost does not answer');
  expect(notices()).toEqual([['warning: No readings since 13:02:10: Lamppost does not answer; trying again'], []]);
  expect(points(0)).toEqual([[0, 1]]); // what is there stays
  channel.say(['cam-1', NOW + 1, 2]);
  channel.broken(0);
  expect(notices()).toEqual([[], []]);
});

describe('a ratio that comes to a table of readings', () => {
  const rows = (unit?: string) => toDataFrame({ refId: 'A', meta: { ...meta, type: 'table' as never }, fields: [
    { name: 'time', type: FieldType.time, values: [NOW] }, { name: 'sensor', values: ['air-1'] }, { name: 'quantity', values: ['relative_humidity'] }, { name: 'channel', values: [''] },
    { name: 'value', values: [75.8], config: unit ? { unit } : {} }, { name: 'unit', values: ['%'] },
  ] });
  const value = (answer: DataQueryResponse) => (answer.data as DataFrame[])[0]!.fields[4]!.values[0] as number;

  it('is written in percent where the column is', () => {
    const { channel, last } = started([rows()]);
    channel.say(['air-1', NOW + 1, 0.5, 'relative_humidity']);
    expect(value(last())).toBe(50);
  });
  it('is left to the unit of the column where that has one', () => {
    const { channel, last } = started([rows('percentunit')]);
    channel.say(['air-1', NOW + 1, 0.5, 'relative_humidity']);
    expect(value(last())).toBe(0.5);
  });
});

it('an answer that does not go on is left as it is', () => {
  const channel = new Channel();
  const answers: DataQueryResponse[] = [];
  const answer = { data: [history('cam-1', [NOW], [1])] };
  follow(answer, request(5), 'uid-1', channel).subscribe((a) => answers.push(a));
  expect(answers).toEqual([answer]);
  expect(channel.addresses).toEqual([]);
});
