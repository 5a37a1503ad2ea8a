// Why readings are refused, and what to do about it. The names are those of the ledger, the quarantine and the metrics.

export interface Reason {
  title: string;
  todo: string;
}

const REASONS: Record<string, Reason> = {
  topic: { title: 'Topic has another form', todo: 'Let the publisher send to city/<publisher>/readings.' },
  too_large: { title: 'Payload too large', todo: 'Let the publisher send fewer readings in one message.' },
  malformed: { title: 'Payload cannot be read', todo: 'Look at the payload: it is cut short, or another format.' },
  encoding: { title: 'Text is not UTF-8', todo: 'Let the publisher send UTF-8.' },
  unknown_quantity: { title: 'Unknown quantity', todo: 'Let the publisher use a name of the catalogue of quantities.' },
  unit: { title: 'Unit cannot be converted', todo: 'Let the publisher send the unit of the quantity, or one that converts to it.' },
  not_a_number: { title: 'Value is not a number', todo: 'Look at the payload: the value is text, empty or not finite.' },
  time: { title: 'Time cannot be read', todo: 'Let the publisher send RFC 3339 or Unix time.' },
  unregistered: { title: 'Sensor is not registered', todo: 'Register the sensor, then replay.' },
  not_allowed: { title: 'Publisher may not send for this sensor', todo: "Name the publisher in the sensor's registration, then replay." },
  range: { title: 'Value outside the sane range', todo: 'Look at the sensor: it is broken, or its unit is wrong.' },
  future: { title: 'Measured in the future', todo: "Set the publisher's clock." },
  too_old: { title: 'Older than the store keeps', todo: 'Raise the retention if these are wanted, then replay.' },
  series: { title: 'Too many channels', todo: 'Let the sensor name its channels the same in every message.' },
  store: { title: 'Store refused it', todo: "Read the detail, mend the store's side, then replay." },
};

/** A reason in words; one that this page does not know is shown by its name. */
export function reasonOf(name: string): Reason {
  return REASONS[name] ?? { title: name.replaceAll('_', ' '), todo: 'Read the detail beside it.' };
}

/** Every reason that can be asked for. */
export const REASON_NAMES: readonly string[] = Object.keys(REASONS);
