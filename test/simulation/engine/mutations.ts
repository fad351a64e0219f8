import { isJsonObject, type Json, type JsonObject } from '../../../shared/engine/json.ts';
import type { Random } from '../../support/random.ts';

/** What somebody may have typed, or a machine sent. */
const VALUES: readonly Json[] = [
  null,
  true,
  -1,
  0,
  1,
  2,
  1.5,
  1e308,
  '',
  'top1',
  'child',
  'ALL',
  'any',
  '$.',
  '$.workflow_input',
  '$.variables.v0',
  '$.item',
  '$.error',
  '$.output',
  '$..*',
  '$.workflow_input[*]',
  '\u0000',
  '\ud800',
  'x'.repeat(300),
  [],
  {},
  [[]],
  { next_step: 'top1' },
];
const KEYS = ['next_step', 'type', 'steps', 'catch', 'retry', 'result', '__proto__', 'constructor', '', 'id'];

/** A copy with a few things changed: values replaced, fields dropped, copied, renamed, put in another's place. */
export function mutated(definition: JsonObject, random: Random): Json {
  const copy = structuredClone(definition) as MutableObject;
  for (let times = 1 + random.int(2); times > 0; times--) change(copy, random);
  return copy;
}

interface MutableObject {
  [key: string]: Json;
}
type Place =
  | { readonly of: MutableObject; readonly key: string }
  | { readonly of: Json[]; readonly key: number };

function change(root: MutableObject, random: Random): void {
  const places = placesIn(root);
  const one = random.pick(places);
  const other = random.pick(places);
  switch (random.int(6)) {
    case 0:
      put(one, random.pick(VALUES));
      break;
    case 1:
      drop(one);
      break;
    case 2:
      put(one, structuredClone(valueAt(other)));
      break;
    case 3: {
      // What belongs together may not stand in each other.
      const [a, b] = [structuredClone(valueAt(one)), structuredClone(valueAt(other))];
      put(one, b);
      put(other, a);
      break;
    }
    case 4: {
      const value = valueAt(one);
      drop(one);
      if (!Array.isArray(one.of)) define(one.of, random.pick(KEYS), value);
      break;
    }
    case 5: {
      const value = valueAt(one);
      if (isJsonObject(value)) define(value, random.pick(KEYS), random.pick(VALUES));
      else put(one, typeof value === 'number' ? value + 1 : random.pick(VALUES));
      break;
    }
  }
}

function placesIn(root: MutableObject): Place[] {
  const places: Place[] = [];
  const open: (MutableObject | Json[])[] = [root];
  for (let of = open.pop(); of !== undefined; of = open.pop()) {
    if (Array.isArray(of)) {
      const list = of;
      list.forEach((value, key) => {
        places.push({ of: list, key });
        if (isJsonObject(value) || Array.isArray(value)) open.push(value as MutableObject | Json[]);
      });
    } else {
      for (const [key, value] of Object.entries(of)) {
        places.push({ of, key });
        if (isJsonObject(value) || Array.isArray(value)) open.push(value as MutableObject | Json[]);
      }
    }
  }
  return places;
}

function valueAt(place: Place): Json {
  return (Array.isArray(place.of) ? place.of[place.key as number] : place.of[place.key]) ?? null;
}

function put({ of, key }: Place, value: Json): void {
  if (Array.isArray(of)) of[key as number] = value;
  else define(of, key as string, value);
}

/** `__proto__` too is a key, as JSON.parse makes it. */
function define(object: object, key: string, value: Json): void {
  Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
}

function drop({ of, key }: Place): void {
  if (Array.isArray(of)) of.splice(key as number, 1);
  else delete of[key as string];
}
