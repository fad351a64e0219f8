import * as z from 'zod';
import { deadLetter } from '../../shared/messages/messages.ts';

/** A record as it was before it was given up: key and value as bytes. */
export interface OriginalRecord {
  readonly topic: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
}

export type Recovered =
  | { readonly ok: true; readonly record: OriginalRecord }
  | { readonly ok: false; readonly reason: string };

/** What Lambda writes to an on-failure topic: the invocation's whole event, with one record. */
const givenUp = z.object({
  payload: z.object({
    records: z.record(
      z.string(),
      z.array(z.object({ topic: z.string(), key: z.string().nullish(), value: z.string().nullish() })),
    ),
  }),
});

/** The record that a dead letter, or a record of the on-failure topic, was made of. */
export function originalRecord(text: string, topics: readonly string[]): Recovered {
  const json = parseJson(text);
  const dead = deadLetter.safeParse(json);
  const failed = givenUp.safeParse(json);
  const found = dead.success
    ? dead.data
    : failed.success
      ? Object.values(failed.data.payload.records).flat()[0]
      : undefined;
  if (found === undefined)
    return { ok: false, reason: 'it is neither a dead letter nor what Lambda gives up' };
  if (!topics.includes(found.topic)) return { ok: false, reason: `its topic ${found.topic} is none of work` };
  if (found.value === null || found.value === undefined)
    return { ok: false, reason: 'it was too large to be kept: its coordinates say where it came from' };
  const bytes = (base64: string | null | undefined) => (base64 ? Buffer.from(base64, 'base64') : null);
  return { ok: true, record: { topic: found.topic, key: bytes(found.key), value: bytes(found.value) } };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
