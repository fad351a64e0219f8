import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { projectFolder } from '../../../localstack/project-folder.ts';
import { limits } from '../../../shared/config/limits.ts';

const text = readFileSync(join(projectFolder, 'shared/definition/README.md'), 'utf8');
const rows = text
  .slice(text.indexOf('\n## Limits'), text.indexOf('\n## Warnings'))
  .split('\n')
  .flatMap((line) => {
    const [, what, limit] = /^\| (.*?) +\| (.*?) +\|/.exec(line) ?? [];
    return what === undefined ? [] : [[what, limit] as const];
  });

// Who is refused by a limit must find it where limits are told.
it.each<[string, string]>([
  ["a step's input or output, ", `${limits.maxPayloadBytes / 1_024} KiB of JSON`],
  ['a definition', `${limits.maxDefinitionBytes / 1_048_576} MiB of JSON`],
  ['keys and items in ', limits.maxJsonEntries.toLocaleString('en')],
  ['objects and lists inside one another', `${limits.maxJsonDepth}`],
  ['steps in a definition', limits.maxStepsPerDefinition.toLocaleString('en')],
  ['parallel and map steps inside one another', `${limits.maxNesting}`],
  ['steps that a run may start', limits.maxStepsPerRun.toLocaleString('en')],
  ['items of a map', limits.maxMapItems.toLocaleString('en')],
  ['steps of a run in one invocation', '10'],
  ['workflows that start one another', `${limits.maxRunDepth}`],
  ['ids and names', `${limits.maxNameLength} characters`],
])('the language tells that of %s: %s', (what, limit) => {
  expect(rows.filter(([told]) => told.startsWith(what))).toEqual([[expect.any(String), limit]]);
});
