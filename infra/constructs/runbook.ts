import { readFileSync } from 'node:fs';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';

export interface RunbookSection {
  readonly title: string;
  /** Markdown, without the heading. */
  readonly text: string;
}

/** RUNBOOK.md as of this release, with this deployment's names in its commands: to be pasted as they are. */
export class Runbook {
  /** What is before the first section. */
  readonly introduction: string;
  readonly sections: readonly RunbookSection[];

  constructor({ environment, prefix }: { readonly environment: string; readonly prefix: string }) {
    const source = readFileSync(new URL('../RUNBOOK.md', import.meta.url), 'utf8');
    const named = source
      .replaceAll(/\$P\b/g, prefix)
      .replaceAll(/\$ENV\b/g, environment)
      // The names are put in already.
      .replace(/^export ENV=.*\n/m, '');
    const [before = '', ...parts] = named.split(/^## /m);
    this.introduction = before.replace(/^# .*\n/, '').trim();
    this.sections = parts.map((part) => {
      const [title = '', ...lines] = part.split('\n');
      return { title, text: lines.join('\n').trim() };
    });
  }

  /** @throws where the runbook has no such section */
  section(title: string): RunbookSection {
    const found = this.sections.find((each) => each.title === title);
    if (found === undefined) throw new Error(`infra/RUNBOOK.md has no section "## ${title}"`);
    return found;
  }
}

const WIDTH = 12;
const HEIGHT = 7;

/** The runbook below the graphs that it names, a section a widget, two beside each other. */
export function runbookRows({ introduction, sections }: Runbook): cloudwatch.IWidget[][] {
  const widgets = [
    `# Runbook\n\n${introduction}`,
    ...sections.map(({ title, text }) => `## ${title}\n\n${text}`),
  ].map((markdown) => new cloudwatch.TextWidget({ markdown, width: WIDTH, height: HEIGHT }));
  return Array.from({ length: Math.ceil(widgets.length / 2) }, (_, i) => widgets.slice(2 * i, 2 * i + 2));
}
