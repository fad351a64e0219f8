import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { projectFolder } from '../../../localstack/project-folder.ts';

const readme = readFileSync(join(projectFolder, 'README.md'), 'utf8');
const { scripts } = JSON.parse(readFileSync(join(projectFolder, 'package.json'), 'utf8')) as {
  scripts: Record<string, string>;
};
const documents = execFileSync('git', ['ls-files', '*.md'], { cwd: projectFolder, encoding: 'utf8' })
  .trim()
  .split('\n');

test('every npm script that a document names is there', () => {
  const named = documents.flatMap((path) => {
    const text = readFileSync(join(projectFolder, path), 'utf8');
    return [...text.matchAll(/\bnpm run ([\w:-]+)/g)].map(([, name = '']) => name);
  });
  expect(named).not.toEqual([]);
  expect(named.filter((name) => !Object.hasOwn(scripts, name))).toEqual([]);
});

test('every npm script is named in the README, or is a part of one that is', () => {
  const parts = Object.values(scripts).flatMap((line) => [...line.matchAll(/\bnpm run ([\w:-]+)/g)]);
  const known = new Set([
    ...[...readme.matchAll(/\bnpm (?:run )?([\w:-]+)/g)].map(([, name]) => name),
    ...parts.map(([, name]) => name),
  ]);
  expect(Object.keys(scripts).filter((name) => !known.has(name))).toEqual([]);
});

test('the layout names every folder of the top and of shared/', () => {
  const layout = /## Layout\n\n```\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
  const tracked = execFileSync('git', ['ls-files'], { cwd: projectFolder, encoding: 'utf8' }).split('\n');
  const top = new Set(
    tracked.flatMap((path) => (/^[a-z]/.test(path) && path.includes('/') ? [path.split('/')[0]] : [])),
  );
  const shared = readdirSync(join(projectFolder, 'shared'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);
  const named = new Set([...layout.matchAll(/(?:^|\s)([a-z-]+)\/(?:\s|$)/gm)].map(([, name]) => name));
  expect([...top, ...shared].filter((name) => !named.has(name))).toEqual([]);
});
