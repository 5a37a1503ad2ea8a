import '@testing-library/jest-dom';
import { CoreApp, type DataSourceSettings } from '@grafana/data';
import { act, fireEvent, render, screen, waitFor, within } from '@testing-library/react';
import React, { useState } from 'react';
import { bounds } from '../src/components/AreaFields';
import { ConfigEditor } from '../src/components/ConfigEditor';
import { QueryEditor } from '../src/components/QueryEditor';
import { VariableEditor } from '../src/components/VariableEditor';
import { type LamppostDatasource } from '../src/datasource';
import { type Choice, type LamppostOptions, type LamppostQuery, type LamppostSecrets, type LamppostVariableQuery } from '../src/types';

const LISTS: Record<string, Choice[]> = {
  quantities: [{ value: 'speed', label: 'Mean speed', description: 'speed in km/h' }, { value: 'no2', label: 'Nitrogen dioxide' }],
  districts: [{ value: 'harbour', label: 'Harbour' }],
  sites: [{ value: 'quay-1', label: 'North quay', lon: 10.01, lat: 53.51 }, { value: 'quay-2', label: 'South quay', lon: 10.02, lat: 53.5 }],
  sensors: [{ value: 'cam-1', label: 'Camera' }],
  channels: [{ value: 'lane-1', label: 'lane-1' }],
};

function source() {
  const choices = jest.fn((list: string, _of: unknown, search = '') => Promise.resolve((LISTS[list] ?? []).filter((c) => c.label.toLowerCase().includes(String(search).toLowerCase()))));
  const datasource = { choices, offered: choices, learn: () => Promise.resolve(false), title: (_list: string, name: string) => name, templates: { getVariables: () => [{ name: 'district', type: 'query' }], replace: (s: string) => s } } as unknown as LamppostDatasource;
  return { choices, datasource };
}

/** The control of a field of the query. */
function field(name: string): HTMLElement {
  const found = document.getElementById(`lamppost-A-${name}`);
  if (!found) {
    throw new Error(`no control for ${name} is shown`);
  }
  return found;
}

/** Lets what waits come about: lists are asked for a moment after a key. */
const settled = () => act(async () => { await new Promise((done) => setTimeout(done, 250)); });

beforeAll(() => {
  // Lists show what has room: without a size they would show nothing.
  Object.defineProperty(HTMLElement.prototype, 'offsetHeight', { configurable: true, value: 400 });
  Object.defineProperty(HTMLElement.prototype, 'offsetWidth', { configurable: true, value: 400 });
  Element.prototype.getBoundingClientRect = () => ({ width: 400, height: 400, top: 0, left: 0, bottom: 400, right: 400, x: 0, y: 0, toJSON: () => ({}) });
});

function Edited({ datasource, query, seen, run, app }: { datasource: LamppostDatasource; query: LamppostQuery; seen: (q: LamppostQuery) => void; run: () => void; app: CoreApp }) {
  const [current, setCurrent] = useState(query);
  return <QueryEditor app={app} datasource={datasource} query={current} onRunQuery={run} onChange={(q) => { setCurrent(q); seen(q); }} />;
}

function editor(query: LamppostQuery, app = CoreApp.PanelEditor) {
  const { choices, datasource } = source();
  const seen = jest.fn<undefined, [LamppostQuery]>();
  const run = jest.fn<undefined, []>();
  render(<Edited datasource={datasource} query={query} seen={seen} run={run} app={app} />);
  const last = () => seen.mock.calls[seen.mock.calls.length - 1]?.[0];
  return { choices, last, run };
}

describe('the editor of a query', () => {
  it('says what is lacking, and asks nothing before it is there', () => {
    const { run } = editor({ refId: 'A' });
    expect(screen.getByText('Choose a quantity')).toBeInTheDocument();
    expect(run).not.toHaveBeenCalled();
  });

  it('is worked with keys alone: search, arrow, enter', async () => {
    const { last, run, choices } = editor({ refId: 'A' });
    const box = field('quantities');
    act(() => box.focus());
    fireEvent.change(box, { target: { value: 'nitro' } });
    await settled();
    expect(choices).toHaveBeenLastCalledWith('quantities', {}, 'nitro');
    fireEvent.keyDown(box, { key: 'ArrowDown' });
    fireEvent.keyDown(box, { key: 'Enter' });
    await waitFor(() => expect(last()?.quantities).toEqual(['no2']));
    expect(run).toHaveBeenCalled();
    expect(screen.queryByText('Choose a quantity')).not.toBeInTheDocument();
  });

  it('offers sensors that fit what else is chosen', async () => {
    const { choices } = editor({ refId: 'A', quantities: ['speed'], districts: ['harbour'] });
    fireEvent.change(field('sensors'), { target: { value: 'cam' } });
    await settled();
    expect(choices).toHaveBeenLastCalledWith('sensors', { quantities: ['speed'], districts: ['harbour'] }, 'cam');
  });

  it('offers the variables of the dashboard', async () => {
    const { last } = editor({ refId: 'A', quantities: ['speed'] });
    const box = field('districts');
    act(() => box.focus());
    fireEvent.change(box, { target: { value: '$d' } });
    await settled();
    fireEvent.keyDown(box, { key: 'ArrowDown' });
    fireEvent.keyDown(box, { key: 'Enter' });
    await waitFor(() => expect(last()?.districts).toEqual(['$district']));
  });

  it('shows only what goes with the rest', () => {
    const { last } = editor({ refId: 'A', quantities: ['speed'], group: ['site'] });
    expect(screen.getByLabelText('A line for each')).toBeInTheDocument();
    expect(screen.getByLabelText('Whole steps only')).not.toBeChecked();
    fireEvent.click(screen.getByLabelText('Live'));
    expect(last()).toEqual({ refId: 'A', quantities: ['speed'], live: true });
    expect(screen.queryByLabelText('A line for each')).not.toBeInTheDocument();
    expect(screen.queryByLabelText('Whole steps only')).not.toBeInTheDocument();
    fireEvent.click(within(screen.getByRole('radiogroup', { name: 'Question' })).getByLabelText('Pipeline'));
    expect(last()).toEqual({ refId: 'A', kind: 'pipeline' });
    expect(screen.queryByLabelText('Quantities')).not.toBeInTheDocument();
  });

  it.each([[false, 'sum'], [true, undefined]])('offers a sum over steps only where no single readings come live: live %s', async (live, want) => {
    const { last } = editor({ refId: 'A', quantities: ['intensity'], ...(live ? { live } : {}) });
    const box = field('aggregate');
    act(() => box.focus());
    fireEvent.change(box, { target: { value: 'Sum' } });
    await settled();
    fireEvent.keyDown(box, { key: 'ArrowDown' });
    fireEvent.keyDown(box, { key: 'Enter' });
    await settled();
    expect(last()?.aggregate).toBe(want);
  });

  it('offers an alert rule histories that do not go on live and the ledger over time, and nothing else', () => {
    const { last } = editor({ refId: 'A', quantities: ['speed'] }, CoreApp.UnifiedAlerting);
    const group = within(screen.getByRole('radiogroup', { name: 'Question' }));
    expect(group.getAllByRole('radio')).toHaveLength(2);
    expect(screen.queryByLabelText('Live')).not.toBeInTheDocument();
    fireEvent.click(group.getByLabelText('Ledger'));
    expect(last()).toEqual({ refId: 'A', kind: 'ledger', view: 'steps' });
    expect(within(screen.getByRole('radiogroup', { name: 'Shown' })).getAllByRole('radio')).toHaveLength(1);
    expect(screen.getByLabelText('Counters')).toBeInTheDocument();
    expect(screen.queryByLabelText('Whole steps only')).not.toBeInTheDocument();
  });

  it('shows an alert rule what it has, so that it can be changed', () => {
    const { last } = editor({ refId: 'A', kind: 'latest' }, CoreApp.UnifiedAlerting);
    const group = within(screen.getByRole('radiogroup', { name: 'Question' }));
    expect(group.getByLabelText('Latest')).toBeChecked();
    fireEvent.click(group.getByLabelText('History'));
    expect(last()).toEqual({ refId: 'A', kind: 'history', whole: true });
    expect(screen.queryByLabelText('Whole steps only')).not.toBeInTheDocument(); // its newest step is always whole
  });

  /** Picks what begins so in a box, with keys alone. */
  const pick = async (name: string, text: string) => {
    const box = field(name);
    act(() => box.focus());
    fireEvent.change(box, { target: { value: text } });
    await settled();
    fireEvent.keyDown(box, { key: 'ArrowDown' });
    fireEvent.keyDown(box, { key: 'Enter' });
    await settled();
  };

  it('picks an area by a site, which is searched for, and a distance, with keys alone', async () => {
    const { last, run, choices } = editor({ refId: 'A', kind: 'latest', districts: ['harbour'] });
    await pick('area', 'Around');
    expect(last()?.around).toEqual({ metres: 500 });
    expect(run).not.toHaveBeenCalled(); // a query without the site would be of everywhere
    expect(screen.getByText('Choose the site that the area is around')).toBeInTheDocument();
    await pick('area-site', 'north');
    expect(choices).toHaveBeenLastCalledWith('sites', { districts: ['harbour'] }, 'north');
    await pick('area-metres', '2 km');
    expect(last()).toEqual({ refId: 'A', kind: 'latest', districts: ['harbour'], around: { site: 'quay-1', metres: 2000 } });
    expect(run).toHaveBeenCalled();
    expect(screen.getByLabelText('around')).toHaveAccessibleName('around');
    expect(screen.getByLabelText('within')).toHaveAccessibleName('within');
    await pick('area', 'Everywhere');
    expect(last()).toEqual({ refId: 'A', kind: 'latest', districts: ['harbour'] });
  });

  it('shows the words for an area that was saved, also for a distance that is not offered', async () => {
    const { datasource } = source();
    Object.assign(datasource, { title: () => 'North quay' });
    render(<QueryEditor datasource={datasource} query={{ refId: 'A', kind: 'latest', around: { site: 'quay-1', metres: 750 } }} onRunQuery={() => undefined} onChange={() => undefined} />);
    await settled();
    expect(field('area')).toHaveValue('Around a site');
    expect(field('area-site')).toHaveValue('North quay');
    expect(field('area-metres')).toHaveValue('750 m');
  });

  it('begins an area between degrees as the place of the sites', async () => {
    const { last } = editor({ refId: 'A', quantities: ['speed'] });
    await pick('area', 'Between');
    expect(last()?.area).toEqual({ west: 10.009, south: 53.499, east: 10.021, north: 53.511 });
  });

  it('takes sides of an area that are typed, or all four pasted, and says what is none', () => {
    const { last } = editor({ refId: 'A', quantities: ['speed'], area: { west: 9, south: 53, east: 10.021, north: 54 } }); // saved before there were others
    expect(field('area')).toHaveValue('Between degrees');
    fireEvent.change(screen.getByLabelText('west'), { target: { value: '11' } }); // east of the east: not taken
    expect(last()).toBeUndefined();
    expect(screen.getByText('The area would be none')).toBeInTheDocument();
    fireEvent.change(screen.getByLabelText('west'), { target: { value: '10' } });
    expect(last()?.area?.west).toBe(10);
    fireEvent.paste(screen.getByLabelText('north'), { clipboardData: { getData: () => '13.3, 52.4, 13.5, 52.6' } });
    expect(last()?.area).toEqual({ west: 13.3, south: 52.4, east: 13.5, north: 52.6 });
    fireEvent.paste(screen.getByLabelText('north'), { clipboardData: { getData: () => '13.3 52.7 13.5 52.6' } });
    expect(last()?.area?.south).toBe(52.4);
    expect(screen.getByText(/What was pasted is no area/)).toBeInTheDocument();
  });

  it('shows titles of what is chosen', async () => {
    const { datasource } = source();
    const titles: Record<string, string> = {};
    const learn = jest.fn((_list: string, names: string[]) => Promise.resolve(names.map((name) => (titles[name] = `Title of ${name}`)).length > 0));
    Object.assign(datasource, { learn, title: (_list: string, name: string) => titles[name] ?? name });
    render(<QueryEditor datasource={datasource} query={{ refId: 'A', quantities: ['speed'], sites: ['quay-1', '$site'] }} onRunQuery={() => undefined} onChange={() => undefined} />);
    await settled();
    expect(screen.getByText('Title of speed')).toBeInTheDocument();
    expect(screen.getByText('Title of quay-1')).toBeInTheDocument();
  });

  it('names its boxes for several values by their labels, also where they take no id, and a click there goes to the box', () => {
    editor({ refId: 'A', quantities: ['speed'] });
    for (const label of ['Quantities', 'Domains', 'Districts', 'Sites', 'Sensors', 'A line for each', 'Compare with']) {
      const box = screen.getByRole('combobox', { name: label });
      const text = document.getElementById(box.getAttribute('aria-labelledby') ?? '');
      expect(text).toHaveTextContent(label);
      fireEvent.click(text!);
      expect(box).toHaveFocus();
    }
  });

  it('has a name for every control', () => {
    editor({ refId: 'A', quantities: ['speed'] });
    for (const control of [...screen.getAllByRole('combobox'), ...screen.getAllByRole('switch')]) {
      expect(control).toHaveAccessibleName();
    }
  });
});

it('places without a position have no area', () => {
  expect(bounds([{ value: 'a', label: 'a' }])).toBeUndefined();
});

it('a variable depends only on what its list can', () => {
  const onChange = jest.fn<undefined, [LamppostVariableQuery]>();
  const query: LamppostVariableQuery = { refId: 'v', list: 'sensors', districts: ['$district'], quantities: ['speed'] };
  render(<VariableEditor datasource={source().datasource} query={query as never} onChange={onChange as never} onRunQuery={() => undefined} />);
  expect(screen.getByLabelText('Of districts')).toBeInTheDocument();
  expect(screen.getByLabelText('Of quantities')).toBeInTheDocument();
});

// Grafana asks again as somebody types only where the saved query holds this word.
it.each([{}, { refId: 'v', list: 'sensors', districts: ['$district'] }])('a variable leaves its search to the server, also one that was saved without: %j', (query) => {
  const onChange = jest.fn<undefined, [LamppostVariableQuery]>();
  const { datasource } = source();
  const shown = (q: object) => <VariableEditor datasource={datasource} query={q as never} onChange={onChange as never} onRunQuery={() => undefined} />;
  const { rerender } = render(shown(query));
  expect(onChange.mock.calls).toEqual([[{ list: 'districts', refId: 'variable', ...query, search: '$__searchFilter' }]]);
  rerender(shown(onChange.mock.calls[0]![0]));
  expect(onChange).toHaveBeenCalledTimes(1);
});

describe('the settings', () => {
  const settings = { url: '', jsonData: {}, secureJsonFields: {}, secureJsonData: {} } as unknown as DataSourceSettings<LamppostOptions, LamppostSecrets>;

  it('keep the token among what Grafana encrypts, without the spaces of a paste', () => {
    const onOptionsChange = jest.fn();
    render(<ConfigEditor options={settings} onOptionsChange={onOptionsChange} />);
    fireEvent.change(screen.getByLabelText('Token'), { target: { value: ' abc\n' } });
    expect(onOptionsChange).toHaveBeenCalledWith({ ...settings, secureJsonData: { token: 'abc' } });
  });
  it('never show a token that is kept', () => {
    render(<ConfigEditor options={{ ...settings, secureJsonFields: { token: true } }} onOptionsChange={() => undefined} />);
    expect(screen.getByLabelText('Token')).toBeDisabled();
    expect(screen.getByLabelText('Token')).toHaveValue('configured');
  });
  it('refuse a timeout that is none', () => {
    const { rerender } = render(<ConfigEditor options={{ ...settings, jsonData: { timeout: -1 } }} onOptionsChange={() => undefined} />);
    expect(screen.getByText('A number of seconds from 1 on; leave it empty for 15')).toBeInTheDocument();
    expect(screen.getByLabelText('Timeout')).toHaveAttribute('placeholder', '15');
    for (const timeout of [1, 30, undefined]) {
      rerender(<ConfigEditor options={{ ...settings, jsonData: timeout === undefined ? {} : { timeout } }} onOptionsChange={() => undefined} />);
      expect(screen.queryByText('A number of seconds from 1 on; leave it empty for 15')).not.toBeInTheDocument();
    }
  });
  it('ask for a certificate only where there is to be one', () => {
    const { rerender } = render(<ConfigEditor options={settings} onOptionsChange={() => undefined} />);
    expect(screen.queryByLabelText('CA certificate')).not.toBeInTheDocument();
    rerender(<ConfigEditor options={{ ...settings, jsonData: { tlsAuthWithCACert: true } }} onOptionsChange={() => undefined} />);
    expect(screen.getByLabelText('CA certificate')).toBeInTheDocument();
    expect(screen.getByLabelText('Server name')).toBeInTheDocument();
    rerender(<ConfigEditor options={{ ...settings, jsonData: { tlsAuthWithCACert: false, tlsAuth: true } }} onOptionsChange={() => undefined} />);
    expect(screen.getByLabelText('Server name')).toBeInTheDocument();
  });
});
