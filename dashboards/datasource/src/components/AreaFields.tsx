import { Combobox, type ComboboxOption, FieldValidationMessage, InlineField, InlineFieldRow, Input } from '@grafana/ui';
import React, { type ClipboardEvent, useMemo, useState } from 'react';
import { type LamppostDatasource } from '../datasource';
import { DISTANCES, type Pick } from '../rules';
import { type Area, type Around, type Choice, type LamppostQuery, type LamppostVariableQuery } from '../types';
import { useTitles, variableOptions } from './Names';
import { One } from './One';

interface Props {
  datasource: LamppostDatasource;
  id: string;
  query: Partial<LamppostQuery>;
  /** What sites may be picked: those that fit the rest of the query. */
  of: Partial<LamppostVariableQuery>;
  onChange: (change: { area?: Area | undefined; around?: Around | undefined }) => void;
}

const WAYS: Pick[] = [
  { value: '', label: 'Everywhere' },
  { value: 'around', label: 'Around a site' },
  { value: 'box', label: 'Between degrees', description: 'A part of the map by its four sides' },
];

const NEAR = { metres: 500 };

/** A part of the map: around a site, so that nobody has to know a position, or by the degrees of its sides. */
export function AreaFields({ datasource, id, query: { area, around }, of, onChange }: Props) {
  const [problem, setProblem] = useState('');
  const way = around ? 'around' : area ? 'box' : '';
  const choose = async (next: string) => {
    setProblem('');
    if (next !== 'box') {
      onChange({ area: undefined, around: next === 'around' ? (around ?? NEAR) : undefined });
      return;
    }
    try {
      const all = bounds(await datasource.choices('sites', of, '', 1000));
      setProblem(all ? '' : 'No site has a position here');
      onChange(all ? { area: all, around: undefined } : {});
    } catch (error) {
      setProblem(error instanceof Error ? error.message : 'The sites cannot be read; look at the data source');
    }
  };
  return (
    <InlineFieldRow>
      <One label="Area" tooltip="Only sensors in a part of the map" id={id} options={WAYS} value={way} onChange={(next) => void choose(next)} />
      {around && <Near datasource={datasource} id={id} value={around} of={of} onChange={(next) => onChange({ around: next })} />}
      {area && !around && <Sides id={id} value={area} onChange={(next) => onChange({ area: next })} onProblem={setProblem} />}
      {problem !== '' && <FieldValidationMessage>{problem}</FieldValidationMessage>}
    </InlineFieldRow>
  );
}

interface NearProps {
  datasource: LamppostDatasource;
  id: string;
  value: Around;
  of: Partial<LamppostVariableQuery>;
  onChange: (around: Around) => void;
}

/** A site, which the server searches, or a variable; and how far around it. */
function Near({ datasource, id, value, of, onChange }: NearProps) {
  const options = useMemo(
    () => async (search: string): Promise<ComboboxOption[]> => {
      const found = await datasource.choices('sites', of, search.startsWith('$') ? '' : search);
      return [
        ...variableOptions(datasource, search),
        ...found.filter(placed).map((c) => ({ value: c.value, label: c.label, ...(c.description ? { description: c.description } : {}) })),
      ];
    },
    [datasource, of]
  );
  const chosen = useMemo(() => (value.site ? [value.site] : []), [value.site]);
  const title = useTitles(datasource, 'sites', chosen);
  const metres = String(value.metres);
  const own = DISTANCES.some((d) => d.value === metres) ? [] : [{ value: metres, label: `${metres} m` }];
  return (
    <>
      <InlineField label="around" labelWidth={10} tooltip="The site in the middle; type to search" htmlFor={`${id}-site`}>
        <Combobox
          id={`${id}-site`}
          options={options}
          value={value.site ? { value: value.site, label: title(value.site) } : null}
          placeholder="Choose a site"
          onChange={(option: ComboboxOption) => onChange({ ...value, site: option.value })}
          width={32}
        />
      </InlineField>
      <InlineField label="within" labelWidth={10} tooltip="To the north, south, east and west: a square, whose corners are 1.4 times as far" htmlFor={`${id}-metres`}>
        <Combobox id={`${id}-metres`} options={[...DISTANCES, ...own]} value={metres} onChange={(option) => onChange({ ...value, metres: Number(option.value) })} width={12} />
      </InlineField>
    </>
  );
}

const SIDES = ['west', 'south', 'east', 'north'] as const;
const LIMITS = { west: 180, south: 90, east: 180, north: 90 };

interface SidesProps {
  id: string;
  value: Area;
  onChange: (area: Area) => void;
  onProblem: (problem: string) => void;
}

/** The four sides in degrees. All four can be pasted into any of them. */
function Sides({ id, value, onChange, onProblem }: SidesProps) {
  const [draft, setDraft] = useState<Record<string, string>>({});
  const commit = (side: (typeof SIDES)[number], text: string) => {
    setDraft({ ...draft, [side]: text });
    const area = { ...value, [side]: Number(text) };
    if (text.trim() !== '' && isArea(area)) {
      setDraft({});
      onChange(area);
    }
  };
  const paste = (event: ClipboardEvent<HTMLInputElement>) => {
    const four = pasted(event.clipboardData.getData('text'));
    if (!four) {
      return; // one number, for this side
    }
    event.preventDefault();
    if (isArea(four)) {
      setDraft({});
      onChange(four);
    }
    onProblem(isArea(four) ? '' : 'What was pasted is no area: its sides are west, south, east and north, in degrees');
  };
  return (
    <>
      {SIDES.map((side) => (
        <InlineField key={side} label={side} labelWidth={10} htmlFor={`${id}-${side}`} invalid={draft[side] !== undefined} error="The area would be none" tooltip="Degrees; west, south, east and north can be pasted at once">
          <Input
            id={`${id}-${side}`}
            type="number"
            step={0.001}
            min={-LIMITS[side]}
            max={LIMITS[side]}
            width={14}
            value={draft[side] ?? value[side]}
            onChange={(event) => commit(side, event.currentTarget.value)}
            onPaste={paste}
          />
        </InlineField>
      ))}
    </>
  );
}

/** The four numbers of a text; undefined if there are more or fewer. */
export function pasted(text: string): Area | undefined {
  const [west, south, east, north, ...more] = (text.match(/-?\d+(\.\d+)?/g) ?? []).map(Number);
  return west === undefined || south === undefined || east === undefined || north === undefined || more.length > 0 ? undefined : { west, south, east, north };
}

export function isArea(a: Area): boolean {
  return a.west >= -180 && a.east <= 180 && a.south >= -90 && a.north <= 90 && a.west < a.east && a.south < a.north;
}

type Placed = Choice & { lon: number; lat: number };

function placed(choice: Choice): choice is Placed {
  return choice.lon !== undefined && choice.lat !== undefined;
}

/** The least area that holds all places, with a little around them. */
export function bounds(places: Choice[]): Area | undefined {
  const at = places.filter(placed);
  if (at.length === 0) {
    return undefined;
  }
  const around = 0.001;
  const out = (n: number) => Math.round(n * 1e6) / 1e6;
  return {
    west: out(Math.max(-180, Math.min(...at.map((p) => p.lon)) - around)),
    south: out(Math.max(-90, Math.min(...at.map((p) => p.lat)) - around)),
    east: out(Math.min(180, Math.max(...at.map((p) => p.lon)) + around)),
    north: out(Math.min(90, Math.max(...at.map((p) => p.lat)) + around)),
  };
}
