import { readFileSync, writeFileSync } from 'node:fs';
import { readArchive, writeArchive } from './archive.ts';
import type { CarryingFunction } from './carrying-functions.ts';
import type { KeptTopic } from './kafka-log.ts';
import type { Call } from './stage.ts';
import type { KeptTable } from './table-rows.ts';

/*
 * The release before this one, as files: `release.json` says which, `code.json.br` has its bundles, `world.json.br` what it left
 * in Postgres, in Kafka and with its agents. `npm run release:keep` writes them.
 */
const file = (name: string) => new URL(`previous-release/${name}`, import.meta.url);

export interface KeptRelease {
  readonly version: string;
  readonly newestMigration: string;
  readonly databaseUsers: Readonly<Record<CarryingFunction, string | null>>;
  /** Names of the situations that it knows; those that were written later are for the next one. */
  readonly situations: readonly string[];
}

/** By path: the function's name, and the file in its bundle. */
export type KeptCode = Readonly<Record<string, string>>;

/** Topics are named as in the world that it was taken from; {@link readWorld} renames them. */
export interface KeptWorld {
  readonly keptAtMs: number;
  readonly topicPrefix: string;
  readonly apiKey: string;
  readonly secretKey: string;
  readonly tables: readonly KeptTable[];
  readonly topics: readonly KeptTopic[];
  /** Calls of agents, those that are still to answer among them. */
  readonly calls: readonly Call[];
  /** The run of each situation. */
  readonly runIds: Readonly<Record<string, string>>;
}

export function keptRelease(): KeptRelease {
  return JSON.parse(readFileSync(file('release.json'), 'utf8')) as KeptRelease;
}

export function readCode(): KeptCode {
  return readArchive<KeptCode>(file('code.json.br'));
}

/** @param topicPrefix of the world that it is to go on in */
export function readWorld(topicPrefix: string): KeptWorld {
  const kept = readArchive<KeptWorld>(file('world.json.br'));
  return JSON.parse(JSON.stringify(kept).replaceAll(kept.topicPrefix, topicPrefix)) as KeptWorld;
}

export function writeRelease(release: KeptRelease, code: KeptCode, world: KeptWorld): void {
  writeFileSync(file('release.json'), `${JSON.stringify(release, null, 2)}\n`);
  writeArchive(file('code.json.br'), code);
  writeArchive(file('world.json.br'), world);
}
