import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { projectFolder } from '../../../localstack/project-folder.ts';

const tracked = execFileSync('git', ['ls-files'], { cwd: projectFolder, encoding: 'utf8' })
  .trim()
  .split('\n');
const folders = new Set(tracked.map((path) => path.split('/')[0]));

/** Of code spans: a file, a folder with its slash, or the name of files to come, with a part `<name>`. */
function pathsIn(text: string): string[] {
  const spans = [...text.matchAll(/`([^`\s]+)`/g)].map(([, span = '']) => span);
  return spans.filter((span) => /^[\w-]+\//.test(span) && folders.has(span.split('/')[0]));
}

function isThere(path: string): boolean {
  const pattern = path
    .split(/(<[^>]+>)/)
    .map((part) => (part.startsWith('<') ? '[^/]+' : part.replaceAll('.', '\\.')))
    .join('');
  const named = new RegExp(`^${pattern}${path.endsWith('/') ? '' : '$'}`);
  return tracked.some((file) => named.test(file));
}

test('every path that CONTRIBUTING.md names is there', () => {
  const named = pathsIn(readFileSync(join(projectFolder, 'CONTRIBUTING.md'), 'utf8'));
  expect(named.length).toBeGreaterThan(50);
  expect(named.filter((path) => !isThere(path))).toEqual([]);
});

test('a path that is not there is found', () => {
  const text =
    'See `shared/engine/gone.ts`, `shared/engine/steps/<type>.ts`, `shared/gone/<type>.ts`, `shared/engine/` and `I4`.';
  expect(pathsIn(text).filter((path) => !isThere(path))).toEqual([
    'shared/engine/gone.ts',
    'shared/gone/<type>.ts',
  ]);
});
