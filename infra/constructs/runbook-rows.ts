import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import type { Runbook } from './runbook.ts';

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
