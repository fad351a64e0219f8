import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { costReport } from '../cost/report.ts';

/* `npm run cost` writes COST.md; `npm run cost:check` fails where it is not what the templates and prices make. */
const file = new URL('../COST.md', import.meta.url);
const { values } = parseArgs({ options: { check: { type: 'boolean' } } });
const report = costReport();
if (!values.check) writeFileSync(file, report);
else if (readFileSync(file, 'utf8') !== report) {
  console.error('infra/COST.md is out of date: run `npm run cost` and look at the diff.');
  process.exitCode = 1;
} else console.log('infra/COST.md is as computed.');
