import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { projectFolder } from '../../../localstack/project-folder.ts';

const documents = execFileSync('git', ['ls-files', '*.md'], { cwd: projectFolder, encoding: 'utf8' })
  .trim()
  .split('\n');

const withoutCode = (path: string) =>
  readFileSync(join(projectFolder, path), 'utf8').replace(/^```[\s\S]*?^```/gm, '');

/** As GitHub makes them of headings. */
function anchorsOf(path: string): string[] {
  return [...withoutCode(path).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .trim()
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replace(/\s/g, '-'),
  );
}

function leadsNowhere(document: string, link: string): boolean {
  const [path = '', anchor] = link.split('#');
  const target = path === '' ? document : join(dirname(document), path);
  if (!existsSync(join(projectFolder, target))) return true;
  return anchor !== undefined && !anchorsOf(target).includes(anchor);
}

test.each(documents)('the links of %s lead somewhere', (document) => {
  const links = [...withoutCode(document).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link);
  const local = links.filter((link) => !/^https?:/.test(link));
  expect(local.filter((link) => leadsNowhere(document, link))).toEqual([]);
});

test('there are links to look at', () => {
  expect(documents).toContain('README.md');
  expect(anchorsOf('README.md')).toContain('register-an-agent');
  expect(leadsNowhere('README.md', 'infra/RUNBOOK.md#no-such-section')).toBe(true);
});
