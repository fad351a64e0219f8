import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { functionProfiles } from '../../infra/config/function-profiles.ts';
import { bundleFunction } from '../../infra/constructs/bundle.ts';
import { removeWithLauncher } from '../../localstack/guardian.ts';
import { type CarryingFunction, carryingFunctions } from './carrying-functions.ts';
import { type KeptCode, keptRelease, readCode } from './kept-release.ts';

/** The functions of one version of the code, bundled as they are deployed. */
export interface Release {
  readonly name: string;
  readonly functions: Readonly<Record<CarryingFunction, ReleasedFunction>>;
}

interface ReleasedFunction {
  /** Path of the module that exports `handler`. */
  readonly entry: string;
  /** Null: the owner of the tables. */
  readonly databaseUser: string | null;
}

/** This tree. */
export function currentRelease(): Release {
  const functions = carryingFunctions.map((name) => {
    const { databaseUser } = functionProfiles[name];
    const entry = join(bundleFunction(name), 'index.mjs');
    return [name, { entry, databaseUser: databaseUser === 'administrator' ? null : databaseUser }];
  });
  return { name: 'current', functions: Object.fromEntries(functions) };
}

/** What is kept in `previous-release/`. */
export function previousRelease(): Release {
  const folder = mkdtempSync(join(tmpdir(), 'stepline-previous-release-'));
  removeWithLauncher(folder);
  for (const [path, text] of Object.entries(readCode())) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  const functions = carryingFunctions.map((name) => [
    name,
    { entry: join(folder, name, 'index.mjs'), databaseUser: keptRelease().databaseUsers[name] },
  ]);
  return { name: 'previous', functions: Object.fromEntries(functions) };
}

/** The text of each module, and of migrate's SQL; no source maps. */
export function codeOf({ functions }: Release): KeptCode {
  const files = Object.entries(functions).flatMap(([name, { entry }]) => {
    const folder = dirname(entry);
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((file) => file.isFile() && /\.(mjs|sql)$/.test(file.name))
      .map((file) => join(file.parentPath, file.name))
      .sort()
      .map((path) => [join(name, relative(folder, path)), readFileSync(path, 'utf8')]);
  });
  return Object.fromEntries(files);
}
