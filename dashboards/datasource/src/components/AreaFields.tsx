import { Button, FieldValidationMessage, InlineField, InlineLabel, Input } from '@grafana/ui';
import React, { useState } from 'react';
import { type LamppostDatasource } from '../datasource';
import { type Area, type Choice } from '../types';

interface Props {
  datasource: LamppostDatasource;
  id: string;
  value: Area | undefined;
  /** The districts that are chosen: the area begins as theirs. */
  districts: string[] | undefined;
  onChange: (area: Area | undefined) => void;
}

const SIDES = ['west', 'south', 'east', 'north'] as const;
const LIMITS = { west: 180, south: 90, east: 180, north: 90 };

/** A part of the map. It begins as the place of all sites that fit, so that nobody has to know a position. */
export function AreaFields({ datasource, id, value, districts, onChange }: Props) {
  const [draft, setDraft] = useState<Record<string, string>>({});
  const [problem, setProblem] = useState('');
  if (!value) {
    const begin = async () => {
      try {
        const area = bounds(await datasource.choices('sites', { ...(districts ? { districts } : {}) }, '', 1000));
        setProblem(area ? '' : 'No site has a position here');
        onChange(area);
      } catch (error) {
        setProblem(error instanceof Error ? error.message : 'The sites cannot be read; look at the data source');
      }
    };
    return (
      <>
        <InlineLabel width={16} tooltip="Only sensors in a part of the map" as="span">
          Area
        </InlineLabel>
        <Button id={id} variant="secondary" onClick={() => void begin()}>
          Everywhere; choose a part
        </Button>
        {problem !== '' && <FieldValidationMessage>{problem}</FieldValidationMessage>}
      </>
    );
  }
  const commit = (side: (typeof SIDES)[number], text: string) => {
    setDraft({ ...draft, [side]: text });
    const area = { ...value, [side]: Number(text) };
    if (text.trim() !== '' && isArea(area)) {
      setDraft({});
      onChange(area);
    }
  };
  return (
    <>
      {SIDES.map((side, i) => (
        <InlineField key={side} label={side} labelWidth={i === 0 ? 16 : 8} htmlFor={`${id}-${side}`} invalid={draft[side] !== undefined} error="The area would be none" tooltip="Degrees">
          <Input
            id={`${id}-${side}`}
            type="number"
            step={0.001}
            min={-LIMITS[side]}
            max={LIMITS[side]}
            width={14}
            value={draft[side] ?? value[side]}
            onChange={(event) => commit(side, event.currentTarget.value)}
          />
        </InlineField>
      ))}
      <Button variant="secondary" onClick={() => onChange(undefined)}>
        Everywhere
      </Button>
    </>
  );
}

export function isArea(a: Area): boolean {
  return a.west >= -180 && a.east <= 180 && a.south >= -90 && a.north <= 90 && a.west < a.east && a.south < a.north;
}

/** The least area that holds all places, with a little around them. */
export function bounds(places: Choice[]): Area | undefined {
  const at = places.filter((p): p is Choice & { lon: number; lat: number } => p.lon !== undefined && p.lat !== undefined);
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
