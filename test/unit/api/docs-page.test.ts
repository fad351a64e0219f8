import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { DOCS_SECURITY_POLICY, docsPage } from '../../../functions/api/documents/docs-page.ts';
import { openApiDocument } from '../../../functions/api/documents/openapi-document.ts';
import { allRoutes } from '../../../functions/api/routes/all-routes.ts';

const url = 'https://api.example.com';
const document = openApiDocument(allRoutes, url);
const page = docsPage(document);

describe('the page', () => {
  it.each(allRoutes.map(({ operationId, method, path }) => [operationId, method, path] as const))(
    'has %s once, with a link to it and a curl line',
    (operationId, method, path) => {
      expect(page.split(`<section id="${operationId}">`)).toHaveLength(2);
      expect(page).toContain(`href="#${operationId}"`);
      expect(page).toContain(`<h3><b>${method}</b> <code>${path}</code></h3>`);
      expect(page).toContain(`${url}${path}`);
    },
  );

  it('loads nothing and runs nothing', () => {
    expect(page).not.toMatch(/<(script|link|img|iframe|object|form)\b/i);
    expect(page).not.toMatch(/\son\w+=|\sstyle=|javascript:/i);
    const [, style = ''] = /<style>([\s\S]*?)<\/style>/.exec(page) ?? [];
    const hash = createHash('sha256').update(style).digest('base64');
    expect(DOCS_SECURITY_POLICY).toContain(`style-src 'sha256-${hash}'`);
    expect(DOCS_SECURITY_POLICY).toContain("default-src 'none'");
    expect(page).toContain('name="viewport"');
  });

  it('is small', () => {
    expect(Buffer.byteLength(page)).toBeLessThan(300_000);
  });

  it('shows text as text', () => {
    const hostile = '<script>alert("1")</script>';
    const info = { ...document.info, title: hostile, description: `${hostile} and \`<b>\`` };
    const shown = docsPage({ ...document, info });
    expect(shown).not.toContain('<script');
    expect(shown).toContain('<code>&lt;b&gt;</code>');
  });

  it('closes what it opens', () => {
    const open: string[] = [];
    for (const [, slash, name = ''] of page.matchAll(/<(\/?)([a-z][a-z0-9]*)\b[^>]*>/g)) {
      if (['meta'].includes(name)) continue;
      if (slash === '') open.push(name);
      else expect(open.pop()).toBe(name);
    }
    expect(open).toEqual([]);
  });
});
