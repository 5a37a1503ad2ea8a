import {
  type DataFrame,
  dataFrameFromJSON,
  type DataFrameJSON,
  type DataQueryRequest,
  type DataQueryResponse,
  dateTimeFormat,
  type Field,
  isLiveChannelMessageEvent,
  type LiveChannelAddress,
  type LiveChannelEvent,
  LiveChannelScope,
  LoadingState,
} from '@grafana/data';
import { auditTime, filter, map, merge, type Observable, of, startWith } from 'rxjs';

/** How often a panel is drawn anew at most, in milliseconds. */
const REDRAW_MS = 100;
/** How many points a line keeps at most. */
const MAX_POINTS = 20_000;

/** Where an answer says how it goes on; the backend writes it. */
interface Followed {
  path: string;
  data: unknown;
}

/** What a packet without readings says: since when the stream is broken, in Unix milliseconds, and why; 0 when it is back. */
interface Interruption {
  since_ms: number;
  text: string;
}

/** One reading of a packet. */
interface Reading {
  time: number;
  sensor: string;
  quantity: string;
  channel: string;
  value: number;
}

/** What is used of Grafana Live. */
export interface Live {
  getStream<T>(address: LiveChannelAddress): Observable<LiveChannelEvent<T>>;
}

function interruption(packet: DataFrame): Interruption | undefined {
  const custom = packet.meta?.custom as { stream?: Interruption } | undefined;
  return custom?.stream;
}

export function followed(frame: DataFrame): Followed | undefined {
  const custom = frame.meta?.custom as { live?: Followed } | undefined;
  return custom?.live;
}

/**
 * Goes on with an answer: the same frames, with each live reading in its place. A reading that comes again, from the history or
 * from a stream that was broken, replaces itself. While the stream is broken the first frame carries a notice.
 */
export function follow(answer: DataQueryResponse, request: DataQueryRequest, uid: string, live: Live): Observable<DataQueryResponse> {
  const frames = answer.data as DataFrame[];
  if (!frames.some(followed)) {
    return of(answer);
  }
  const span = request.range.to.valueOf() - request.range.from.valueOf();
  const targets = new Map<string, Target>();
  const broken = new Map<string, Interruption>();
  const streams: Observable<unknown>[] = [];
  for (const frame of frames) {
    const at = followed(frame);
    if (!at) {
      continue;
    }
    const refId = frame.refId ?? '';
    const target = targetOf(frames.filter((f) => (f.refId ?? '') === refId), span);
    targets.set(refId, target);
    // The word for the data source's place in an address changed within Grafana 12: both are given.
    const address = { scope: LiveChannelScope.DataSource, stream: uid, namespace: uid, path: at.path, data: at.data };
    streams.push(
      live.getStream<DataFrameJSON>(address).pipe(
        filter(isLiveChannelMessageEvent),
        map((event) => {
          const packet = dataFrameFromJSON(event.message);
          const said = interruption(packet);
          if (said && said.since_ms > 0) {
            broken.set(refId, said);
          } else if (said) {
            broken.delete(refId);
          }
          target.take(readings(packet));
        })
      )
    );
  }
  const rest = frames.filter((f) => !targets.has(f.refId ?? ''));
  return merge(...streams).pipe(
    auditTime(REDRAW_MS),
    startWith(undefined),
    map(() => ({
      ...answer,
      key: request.requestId,
      state: LoadingState.Streaming,
      data: [...rest, ...[...targets].flatMap(([refId, t]) => noticed(t.frames(Date.now()), broken.get(refId), request.timezone))],
    }))
  );
}

/** The frames with a notice on the first of them if their stream is broken: a panel that stands still looks like a quiet one. */
function noticed(frames: DataFrame[], broken: Interruption | undefined, timeZone: string): DataFrame[] {
  const [first, ...others] = frames;
  if (!broken || !first) {
    return frames;
  }
  const since = dateTimeFormat(broken.since_ms, { format: 'HH:mm:ss', timeZone });
  const notice = { severity: 'warning' as const, text: `No readings since ${since}: ${broken.text}; trying again` };
  return [{ ...first, meta: { ...first.meta, notices: [...(first.meta?.notices ?? []), notice] } }, ...others];
}

function readings(packet: DataFrame): Reading[] {
  const column = (name: string) => (packet.fields.find((f) => f.name === name)?.values ?? []) as unknown[];
  const [times, sensors, quantities, channels, values] = ['time', 'sensor', 'quantity', 'channel', 'value'].map(column) as [number[], string[], string[], string[], number[]];
  return times.map((time, i) => ({ time, sensor: sensors[i] ?? '', quantity: quantities[i] ?? '', channel: channels[i] ?? '', value: values[i] ?? NaN }));
}

/** Frames of one query that take live readings. */
interface Target {
  take(readings: Reading[]): void;
  frames(now: number): DataFrame[];
}

function targetOf(frames: DataFrame[], span: number): Target {
  const table = frames.find((f) => (f.meta?.type as string | undefined) === 'table');
  return table ? new Table(table) : new Lines(frames, span);
}

/** One line: its frame as it was, and the points that it has now. */
interface Line {
  frame: DataFrame;
  times: number[];
  values: (number | null)[];
}

/** A history, a frame a line. */
class Lines implements Target {
  private readonly lines = new Map<string, Line>();
  private readonly first: DataFrame | undefined;

  constructor(
    frames: DataFrame[],
    private readonly span: number
  ) {
    this.first = frames[0];
    for (const frame of frames) {
      const [time, value] = frame.fields;
      if (time && value) {
        const labels = value.labels ?? {};
        this.lines.set(key(labels.sensor, value.name, labels.channel), {
          frame,
          times: [...(time.values as number[])],
          values: [...(value.values as (number | null)[])],
        });
      }
    }
  }

  take(all: Reading[]) {
    for (const r of all) {
      const id = key(r.sensor, r.quantity, r.channel);
      let line = this.lines.get(id);
      if (!line) {
        line = { frame: this.newFrame(r), times: [], values: [] };
        this.lines.set(id, line);
      }
      put(line, r.time, r.value);
    }
  }

  frames(now: number): DataFrame[] {
    if (this.lines.size === 0) {
      return this.first ? [this.first] : [];
    }
    return [...this.lines.values()].map((line) => {
      prune(line, now - this.span);
      const [time, value] = line.frame.fields as [Field, Field];
      return {
        ...line.frame,
        length: line.times.length,
        fields: [
          { ...time, values: [...line.times], state: null },
          { ...value, values: [...line.values], state: null },
        ],
      };
    });
  }

  /** The frame of a sensor that had no history: shown as its neighbours of the same quantity are. */
  private newFrame(r: Reading): DataFrame {
    const like = [...this.lines.values()].find((l) => l.frame.fields[1]?.name === r.quantity)?.frame.fields[1];
    const labels: Record<string, string> = { quantity: r.quantity, sensor: r.sensor };
    if (r.channel !== '') {
      labels.channel = r.channel;
    }
    // What its neighbours' names go on with, such as how their past is combined.
    const neighbour = named(like?.labels?.sensor ?? '', like?.labels?.channel ?? '');
    const shown = like?.config.displayNameFromDS ?? '';
    const displayNameFromDS = named(r.sensor, r.channel) + (shown.startsWith(`${neighbour}, `) ? shown.slice(neighbour.length) : '');
    const fields = [
      { name: 'time', type: 'time', config: {}, values: [] },
      { name: r.quantity, type: 'number', labels, config: { ...like?.config, displayNameFromDS }, values: [] },
    ] as unknown as Field[];
    return { name: r.quantity, length: 0, fields, ...(this.first?.refId ? { refId: this.first.refId } : {}) };
  }
}

/** A sensor and its channel as the backend names them: a number is no name of a channel. */
function named(sensor: string, channel: string): string {
  return channel === '' ? sensor : `${sensor} ${/^\d+$/.test(channel) ? 'channel ' : ''}${channel}`;
}

function key(sensor = '', quantity = '', channel = ''): string {
  return `${sensor}/${quantity}/${channel}`;
}

/** Puts a point where its time says, in place of one of the same time. */
function put(line: Line, time: number, value: number) {
  const { times, values } = line;
  const last = times.length - 1;
  if (last < 0 || time > (times[last] ?? 0)) {
    times.push(time);
    values.push(value);
    return;
  }
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((times[middle] ?? 0) < time) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  const same = times[low] === time ? 1 : 0;
  times.splice(low, same, time);
  values.splice(low, same, value);
}

/** Forgets what the panel does not show any more. */
function prune(line: Line, before: number) {
  let gone = line.times.findIndex((time) => time >= before);
  gone = Math.max(gone < 0 ? line.times.length - 1 : gone, line.times.length - MAX_POINTS);
  if (gone > 0) {
    line.times.splice(0, gone);
    line.values.splice(0, gone);
  }
}

/** A table of the newest readings. */
class Table implements Target {
  private readonly rows = new Map<string, number>();
  private readonly columns: Map<string, unknown[]>;

  constructor(private readonly frame: DataFrame) {
    this.columns = new Map(frame.fields.map((f) => [f.name, [...(f.values as unknown[])]]));
    const [sensors, quantities, channels] = ['sensor', 'quantity', 'channel'].map((name) => this.columns.get(name) as string[] | undefined);
    sensors?.forEach((sensor, row) => this.rows.set(quantities ? key(sensor, quantities[row], channels?.[row]) : sensor, row));
  }

  take(all: Reading[]) {
    for (const r of all) {
      const byReading = this.rows.get(key(r.sensor, r.quantity, r.channel));
      const row = byReading ?? this.rows.get(r.sensor);
      const column = this.columns.get(byReading !== undefined ? 'value' : r.channel === '' ? r.quantity : `${r.quantity}/${r.channel}`);
      const times = this.columns.get('time') as number[] | undefined;
      if (row === undefined || !column || !times) {
        continue; // a sensor or a quantity that the answer does not have comes with the next one
      }
      if (byReading !== undefined && (times[row] ?? 0) > r.time) {
        continue; // something older, that comes late
      }
      column[row] = byReading !== undefined && this.inPercent(row) ? 100 * r.value : r.value;
      times[row] = Math.max(times[row] ?? 0, r.time);
      const states = this.columns.get('state');
      if (states) {
        states[row] = 'ok';
      }
    }
  }

  /** Whether a row's value is a ratio that the backend has written in percent, as it does where a table is of several quantities. */
  private inPercent(row: number): boolean {
    const unit = this.frame.fields.find((f) => f.name === 'value')?.config.unit;
    return (this.columns.get('unit') as string[] | undefined)?.[row] === '%' && (unit ?? '') === '';
  }

  frames(now: number): DataFrame[] {
    const times = this.columns.get('time') as number[] | undefined;
    const fields = this.frame.fields.map((field) => {
      const values = field.name === 'age' && times ? times.map((time) => Math.max(0, now - time) / 1000) : [...(this.columns.get(field.name) ?? [])];
      return { ...field, values, state: null };
    });
    return [{ ...this.frame, fields }];
  }
}
